//! Payloads of update_engine's format: what is signed, and by whom. They are made here byte by byte, as its generator does.

use std::{io::Cursor, sync::LazyLock};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use camino::Utf8Path;
use proptest::prelude::*;
use slipway_update_server::{chain, syncer::PayloadKey};

use super::{Pair, files, synced};

/// Who signs the payloads of an upstream.
struct Signer(KeyPair);

/// How long an RSA signature of 2048 bits is.
const SIGNATURE: usize = 256;

impl Signer {
    fn new() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    fn key(&self) -> PayloadKey {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        fs_err::write(&file, self.pem()).unwrap();
        PayloadKey::read(Utf8Path::from_path(&file).unwrap()).unwrap()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; SIGNATURE];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    fn payload(&self, data: &[u8]) -> Vec<u8> {
        payload(&[self], data)
    }
}

/// A payload that all of these sign.
fn payload(signers: &[&Signer], data: &[u8]) -> Vec<u8> {
    let size = signatures(signers, b"").len() as u64;
    // The size of blocks, and where the signatures are.
    let fields = [(3, 4096), (4, data.len() as u64), (5, size)];
    let signed = [head(1, &manifest(&fields)), data.to_vec()].concat();
    [&signed[..], &signatures(signers, &signed)].concat()
}

fn head(version: u64, manifest: &[u8]) -> Vec<u8> {
    let length = manifest.len() as u64;
    [b"CrAU", &version.to_be_bytes()[..], &length.to_be_bytes(), manifest].concat()
}

/// Numbers as protocol buffers have them.
fn manifest(fields: &[(u8, u64)]) -> Vec<u8> {
    fields.iter().flat_map(|(tag, value)| [vec![tag << 3], varint(*value)].concat()).collect()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Bytes as protocol buffers have them.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

/// Numbered as the generator does: the last one is 2.
fn signatures(signers: &[&Signer], message: &[u8]) -> Vec<u8> {
    let first = 3 - signers.len() as u64;
    let one = |(number, signer): (u64, &&Signer)| {
        field(1, &[manifest(&[(1, number)]), field(2, &signer.sign(message))].concat())
    };
    (first..).zip(signers).flat_map(one).collect()
}

fn verified(key: &PayloadKey, payload: &[u8]) -> Result<(), String> {
    key.verify(&mut Cursor::new(payload)).map_err(|error| error.to_string())
}

#[test]
fn a_payload_is_signed_by_whoever_has_the_key() {
    let (ours, theirs) = (Signer::new(), Signer::new());
    let key = ours.key();
    let check = |payload: &[u8], expected: Result<(), &str>| {
        assert_eq!(verified(&key, payload), expected.map_err(str::to_owned));
    };
    check(&ours.payload(b"the new system"), Ok(()));
    check(&ours.payload(b""), Ok(()));
    // While the key is replaced: hosts look at the newest signature, and at no other.
    check(&payload(&[&theirs, &ours], b"x"), Ok(()));
    let forged = Err("it is signed by another key than that of `sync-key`");
    check(&payload(&[&ours, &theirs], b"x"), forged);
    check(&theirs.payload(b"x"), forged);
    check(&payload(&[], b"x"), Err("it is not signed to its end"));
}

#[test]
fn what_is_no_payload_is_named() {
    let key = Signer::new().key();
    let check = |payload: &[u8], expected: &str| {
        assert_eq!(verified(&key, payload), Err(expected.to_owned()));
    };
    let (format, unsigned) =
        ("it is no payload of update_engine, version 1", "it is not signed to its end");
    check(b"", "it ends too early");
    check(b"CrAU", "it ends too early");
    check(&[0; 100], format);
    check(&head(2, b""), format);
    check(&[b"CrAU", &1u64.to_be_bytes()[..], &u64::MAX.to_be_bytes()].concat(), format);
    check(&[b"CrAU", &1u64.to_be_bytes()[..], &1u64.to_be_bytes()].concat(), format);
    check(&head(1, b"\xff"), "its manifest cannot be read");
    check(&head(1, b""), unsigned);
    check(&head(1, &manifest(&[(4, 0)])), unsigned);
    check(&head(1, &manifest(&[(4, 7), (5, 0)])), unsigned);
    check(&head(1, &manifest(&[(4, u64::MAX), (5, 1)])), unsigned);
    check(&head(1, &manifest(&[(4, 0), (5, u64::MAX)])), unsigned);
}

#[test]
fn not_a_byte_may_differ_be_missing_or_be_added() {
    let signer = Signer::new();
    let key = signer.key();
    let good = signer.payload(b"all of the new system");
    let signed = good.len() - signatures(&[&signer], b"").len();
    for at in (0..signed).chain(good.len() - SIGNATURE..good.len()) {
        let mut turned = good.clone();
        turned[at] ^= 1;
        assert!(verified(&key, &turned).is_err(), "byte {at} of {} is another", good.len());
    }
    for length in 0..good.len() {
        assert!(verified(&key, &good[..length]).is_err(), "it ends after {length} bytes");
    }
    assert!(verified(&key, &[&good[..], b"\0"].concat()).is_err());
    assert_eq!(verified(&key, &good), Ok(()));
}

static KEY: LazyLock<PayloadKey> = LazyLock::new(|| Signer::new().key());

proptest! {
    /// Whoever made it: an error, and not the end of the server.
    #[test]
    fn noise_is_refused(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        data in 0u64..200,
        fields in prop::collection::vec((1u8..8, any::<u64>()), 0..4),
    ) {
        // As if the last of it were signatures.
        let rest = (noise.len() as u64).saturating_sub(data);
        let likely = manifest(&[(4, noise.len() as u64 - rest), (5, rest)]);
        let heads = [head(1, &likely), head(1, &manifest(&fields)), head(1, &noise), Vec::new()];
        for payload in heads.map(|head| [head, noise.clone()].concat()) {
            prop_assert!(verified(&KEY, &payload).is_err());
        }
    }
}

/// An RSA key of 1024 bits.
const SHORT: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDKpr8vEokF5UrhpNwq0CZkbv7g
/Ze48Gi+nU78vKeJmJ9rudQZ0sUSmLuK8sC0GeJSUTUqqoNoo9oD295rhxl2iG2D
atwL6gsCOb4ojFf1sMnsEbSzUsbOV7hZEMslHRRyu2+ZrqpUpMHTQn2jXM+cLAVC
cjhr2dVrkdrsiV5ufQIDAQAB
-----END PUBLIC KEY-----
";
/// A key of P-256.
const OTHER: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsiwWUgQIfNZNoxEoaE0pkFeHcAz7
CUTvdo5KlTe8nhpLHXmgzpuAkXlt1rrWFkx7vErDuqd5mYznULtvj02zQA==
-----END PUBLIC KEY-----
";

#[test]
fn a_key_is_public_and_long_enough() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    let file = Utf8Path::from_path(&file).unwrap();
    let expected = format!("`{file}` is no RSA key of 2048 bits or more, public and as PEM");
    let check = |content: Option<&str>| {
        if let Some(content) = content {
            fs_err::write(file, content).unwrap();
        }
        let error = chain(&PayloadKey::read(file).unwrap_err());
        assert!(error.starts_with(&expected), "{error}");
    };
    let pem = Signer::new().pem();
    check(None);
    check(Some(""));
    check(Some(SHORT));
    check(Some(OTHER));
    check(Some(&pem.replace("PUBLIC", "PRIVATE")));
    check(Some("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_is_given_to_hosts() {
    let (theirs, thief) = (Signer::new(), Signer::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    fs_err::write(&file, theirs.pem()).unwrap();
    let pair = Pair::with("host", &[("sync-key", file.to_str().unwrap().to_owned())]).await;
    let package = pair.release_of("4002.0.0", b"no payload at all").await;
    Pair::refused(pair.sync().await, "`4002.0.0.gz` is not signed: it ends too early");
    pair.release_again(&package, &thief.payload(b"evil")).await;
    Pair::refused(pair.sync().await, "`4002.0.0.gz` is not signed: it is signed by another key");
    assert!(pair.packages().await.is_empty() && pair.ours().await.is_none());
    assert!(files(pair.ours.path()).is_empty(), "nothing is left of it");
    pair.release_again(&package, &theirs.payload(&vec![7; 3 << 20])).await;
    // The key is read each time.
    fs_err::remove_file(&file).unwrap();
    Pair::refused(pair.sync().await, "`sync-key` cannot be used");
    fs_err::write(&file, theirs.pem()).unwrap();
    assert_eq!(pair.sync().await, Ok(synced(1, true)));
    assert_eq!(files(pair.ours.path()).len(), 1);
}
