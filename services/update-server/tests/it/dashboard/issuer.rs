//! An issuer that a test runs: a real HTTP server that signs with a real key, checks what a client has to show, and makes one
//! mistake when it is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::world::{NOW, at};

/// What the issuer calls the server.
pub(crate) const CLIENT: &str = "slipway updates";

/// What the server proves itself by; both halves have to be encoded.
pub(crate) const SECRET: &str = "hush: 50 %";

/// What the issuer does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// It does not say where people log out of it.
    NoEnd,
    /// It says something that is no address.
    OddEnd,
    /// It names an address that others can read along with.
    PlainEnd,
    /// It sends back another `state`.
    State,
    /// It says that another issuer answers.
    Answerer,
    /// It does not log the person in.
    Refusal,
    /// It does not take the code.
    Code,
    /// It falls over.
    Broken,
    /// It gives no ID token.
    NoToken,
    /// Another key signs than it says.
    Signature,
    /// It changes what was signed.
    Changed,
    /// It names a key that it has not.
    Key,
    /// It signs by nothing.
    Unsigned,
    /// It signs by the secret that it shares with the client.
    Secret,
    /// It says that it is another.
    Issuer,
    /// It means another client.
    Audience,
    /// It gave the token to another client.
    Party,
    /// Its token has ended.
    Expired,
    /// Its token begins later.
    Early,
    /// It repeats another `nonce`.
    Nonce,
    /// It repeats none.
    NoNonce,
    /// It names nobody.
    Subject,
}

/// The issuer, while it runs.
pub(crate) struct Issuer {
    pub(crate) url: String,
    shared: Arc<Shared>,
    client: reqwest::Client,
}

struct Shared {
    url: String,
    key: KeyPair,
    other: KeyPair,
    state: Mutex<Inner>,
}

struct Inner {
    fault: Fault,
    person: Value,
    /// What each code is good for: `nonce`, `code_challenge`, `redirect_uri`.
    codes: BTreeMap<String, [String; 3]>,
    known: BTreeSet<String>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let inner = Inner {
            fault: Fault::Nothing,
            person: json!({ "sub": "1001", "email": "ann@x.example", "groups": ["ops"] }),
            codes: BTreeMap::new(),
            known: BTreeSet::new(),
        };
        let shared = Arc::new(Shared {
            url: url.clone(),
            key: KeyPair::generate(KeySize::Rsa2048).unwrap(),
            other: KeyPair::generate(KeySize::Rsa2048).unwrap(),
            state: Mutex::new(inner),
        });
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(metadata))
            .route("/realm/authorize", get(authorize))
            .route("/realm/token", post(token))
            .route("/realm/keys", get(keys))
            .with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(listener, router).into_future());
        let none = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().redirect(none).build().unwrap();
        Self { url, shared, client }
    }

    pub(crate) fn does(&self, fault: Fault) {
        self.shared.state.lock().unwrap().fault = fault;
    }

    /// Who is logged in from now on.
    pub(crate) fn is_visited_by(&self, person: Value) {
        self.shared.state.lock().unwrap().person = person;
    }

    /// Somebody logs in at the issuer; gives where they are sent.
    pub(crate) async fn visit(&self, address: &str) -> String {
        assert!(address.starts_with(&format!("{}/authorize?", self.url)), "{address}");
        let answer = self.client.get(address).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
    }
}

async fn metadata(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let url = &shared.url;
    let end = match shared.state.lock().unwrap().fault {
        Fault::NoEnd => json!(null),
        Fault::OddEnd => json!(["http", 7]),
        Fault::PlainEnd => json!("http://issuer.example/end"),
        _ => json!(format!("{url}/end")),
    };
    Json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"), "end_session_endpoint": end, "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn authorize(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let said = |name: &str| asked.get(name).cloned().unwrap_or_default();
    for (name, value) in
        [("response_type", "code"), ("client_id", CLIENT), ("code_challenge_method", "S256")]
    {
        if said(name) != value {
            return (StatusCode::BAD_REQUEST, format!("{name} is {}", said(name))).into_response();
        }
    }
    let mut inner = shared.state.lock().unwrap();
    for fresh in [said("state"), said("nonce"), said("code_challenge")] {
        if fresh.len() < 43 || !inner.known.insert(fresh) {
            return (StatusCode::BAD_REQUEST, "nothing may be used twice").into_response();
        }
    }
    let code = format!("code-{}", inner.codes.len());
    let good = [said("nonce"), said("code_challenge"), said("redirect_uri")];
    inner.codes.insert(code.clone(), good);
    let mut back: url::Url = said("redirect_uri").parse().unwrap();
    let state = if inner.fault == Fault::State { "a".repeat(64) } else { said("state") };
    back.query_pairs_mut().append_pair("state", &state);
    match inner.fault {
        Fault::Refusal => back
            .query_pairs_mut()
            .append_pair("error", "access_denied")
            .append_pair("error_description", "Ann said <no>"),
        Fault::Answerer => back
            .query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("iss", "https://other.example"),
        _ => back.query_pairs_mut().append_pair("code", &code).append_pair("iss", &shared.url),
    };
    Redirect::to(back.as_str()).into_response()
}

async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(asked): Form<BTreeMap<String, String>>,
) -> Response {
    let said = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let refused = |error: &str, why: &str| {
        let body = Json(json!({ "error": error, "error_description": why }));
        (StatusCode::BAD_REQUEST, body).into_response()
    };
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = format!("{}:{}", encode(CLIENT), encode(SECRET));
    let basic = base64::engine::general_purpose::STANDARD.encode(basic);
    if headers.get(header::AUTHORIZATION).is_none_or(|sent| *sent != *format!("Basic {basic}")) {
        return refused("invalid_client", "who are you?");
    }
    let mut inner = shared.state.lock().unwrap();
    match inner.fault {
        Fault::Broken => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::NoToken => return Json(json!({ "access_token": "x" })).into_response(),
        Fault::Code => return refused("invalid_grant", "the code is too old"),
        _ => {}
    }
    // A code is good once.
    let Some([nonce, challenge, redirect]) = inner.codes.insert(said("code"), Default::default())
    else {
        return refused("invalid_grant", "no such code");
    };
    let shown = URL_SAFE_NO_PAD.encode(Sha256::digest(said("code_verifier")));
    if said("grant_type") != "authorization_code" || redirect != said("redirect_uri") {
        return refused("invalid_grant", "another redirect_uri");
    }
    if shown != challenge || said("code_verifier").len() < 43 {
        return refused("invalid_grant", "no proof of PKCE");
    }
    let id_token = shared.id_token(inner.fault, &inner.person, &nonce);
    Json(json!({ "access_token": "x", "token_type": "Bearer", "id_token": id_token }))
        .into_response()
}

async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({ "keys": [
        { "kty": "oct", "k": "AAAA", "kid": "unfit" },
        jwk("another", &shared.other),
        jwk("the one", &shared.key),
    ] }))
}

fn jwk(id: &str, key: &KeyPair) -> Value {
    let key = key.public_key();
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
    let n = encode(key.modulus().big_endian_without_leading_zero());
    let e = encode(key.exponent().big_endian_without_leading_zero());
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": n, "e": e })
}

impl Shared {
    fn id_token(&self, fault: Fault, person: &Value, nonce: &str) -> String {
        let now = at(0).as_second();
        assert_eq!(at(0), NOW.parse().unwrap());
        let mut claims = person.clone();
        claims["iss"] = json!(self.url);
        claims["aud"] = json!([CLIENT]);
        claims["iat"] = json!(now);
        claims["exp"] = json!(now + 300);
        claims["nonce"] = json!(nonce);
        match fault {
            Fault::Issuer => claims["iss"] = json!("https://other.example"),
            Fault::Audience => claims["aud"] = json!(["somebody else"]),
            Fault::Party => claims["azp"] = json!("somebody else"),
            Fault::Expired => claims["exp"] = json!(now - 61),
            Fault::Early => claims["nbf"] = json!(now + 61),
            Fault::Nonce => claims["nonce"] = json!("0".repeat(64)),
            Fault::NoNonce => drop(claims.as_object_mut().unwrap().remove("nonce")),
            Fault::Subject => claims["sub"] = json!(""),
            _ => {}
        }
        let (algorithm, id) = match fault {
            Fault::Unsigned => ("none", "the one"),
            Fault::Secret => ("HS256", "the one"),
            Fault::Key => ("RS256", "a lost one"),
            _ => ("RS256", "the one"),
        };
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = encode(&json!({ "alg": algorithm, "kid": id, "typ": "JWT" }));
        let signed = format!("{header}.{}", encode(&claims));
        let signature = match fault {
            Fault::Unsigned => Vec::new(),
            Fault::Secret => by_secret(&signed),
            Fault::Signature => sign(&self.other, &signed),
            _ => sign(&self.key, &signed),
        };
        if fault == Fault::Changed {
            claims["groups"] = json!(["admins"]);
        }
        format!("{header}.{}.{}", encode(&claims), URL_SAFE_NO_PAD.encode(signature))
    }
}

fn sign(key: &KeyPair, message: &str) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    signature
}

fn by_secret(message: &str) -> Vec<u8> {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
