//! TLS through the program itself, with certificates that are made here.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use slipway_update_server::{
    policy::Policy,
    tls::{Certificate, Reloaded, TlsFiles},
};
use tempfile::TempDir;

use crate::{
    binary::{Server, filled, program},
    world::{APP, Host, NEW},
};

/// Certificates and keys, made by openssl.
struct Forge {
    folder: TempDir,
}

impl Forge {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a certificate for 127.0.0.1 that nobody else issued; gives it as PEM.
    #[expect(
        clippy::disallowed_methods,
        reason = "certificates are made by the system's own program"
    )]
    fn make(&self, name: &str) -> Vec<u8> {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}")])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &key, "-out", &certificate])
            .current_dir(self.folder.path())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        fs_err::read(self.path(&certificate)).unwrap()
    }

    /// Puts a certificate and a key where the server looks for them. First the key: for a moment the two do not fit, and the
    /// server must not mind.
    fn install(&self, certificate: &str, key: &str) {
        fs_err::copy(self.path(&format!("{key}.key")), self.path("server.key")).unwrap();
        fs_err::copy(self.path(&format!("{certificate}.pem")), self.path("server.pem")).unwrap();
    }

    fn files(&self) -> TlsFiles {
        let path = |name: &str| self.path(name).try_into().unwrap();
        TlsFiles { certificate: path("server.pem"), key: path("server.key") }
    }

    fn serve(&self, folder: &Path, more: &[(&str, &str)]) -> Server {
        let (certificate, key) = (self.path("server.pem"), self.path("server.key"));
        let mut variables = vec![
            ("SLIPWAY_UPDATE_SERVER_TLS_CERTIFICATE", certificate.to_str().unwrap()),
            ("SLIPWAY_UPDATE_SERVER_TLS_KEY", key.to_str().unwrap()),
        ];
        variables.extend(more);
        Server::with(folder, &variables)
    }
}

/// Somebody who believes this certificate and no other.
fn believer(certificate: &[u8]) -> reqwest::Client {
    let certificate = reqwest::Certificate::from_pem(certificate).unwrap();
    reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap()
}

/// The status of an answer over a new connection; `None` if the certificate is not believed.
async fn status(certificate: &[u8], server: &Server, path: &str) -> Option<u16> {
    let answer = believer(certificate).get(format!("{}{path}", server.base)).send().await;
    answer.ok().map(|answer| answer.status().as_u16())
}

/// Waits until new connections get a certificate.
async fn until_believed(certificate: &[u8], server: &Server) {
    for _ in 0..600 {
        if status(certificate, server, "/health").await == Some(200) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server never shows this certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_through_tls_and_ends_in_good_order() {
    let (forge, folder) = (Forge::new(), tempfile::tempdir().unwrap());
    let one = forge.make("one");
    forge.install("one", "one");
    filled(folder.path(), Policy::default()).await;
    let mut server = forge.serve(folder.path(), &[]);
    assert!(server.base.starts_with("https://127.0.0.1:"), "{}", server.base);
    let client = believer(&one);
    // Who connects and says nothing keeps nobody waiting.
    let address = server.base.strip_prefix("https://").unwrap();
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(server.ask(&client, &Host::new("tls")).await.as_deref(), Some(NEW));
    let instance = client.get(format!("{}/api/v2/apps/{APP}/instances/tls", server.base));
    let instance = instance.send().await.unwrap().text().await.unwrap();
    assert!(instance.contains("127.0.0.1"), "who asks is known: {instance}");
    let plain = reqwest::get(format!("http://{address}/health")).await;
    assert!(plain.is_err(), "nothing is said without TLS");
    let live = format!("{}/apps/{APP}/groups/stable/live", server.base);
    let mut live = client.get(live).send().await.unwrap();
    assert!(live.chunk().await.unwrap().is_some());
    server.signal("TERM");
    // A stream that would go on for ever ends with the server.
    while live.chunk().await.unwrap_or_default().is_some() {}
    assert!(server.child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_read_at_a_signal_and_a_bad_one_is_not_used() {
    let (forge, folder) = (Forge::new(), tempfile::tempdir().unwrap());
    let (one, two) = (forge.make("one"), forge.make("two"));
    forge.install("one", "one");
    filled(folder.path(), Policy::default()).await;
    let server = forge.serve(folder.path(), &[("SLIPWAY_UPDATE_SERVER_TLS_INTERVAL", "86400")]);
    assert_eq!(status(&one, &server, "/ready").await, Some(200));
    assert_eq!(status(&two, &server, "/ready").await, None);
    let client = believer(&one);
    let health =
        async || client.get(format!("{}/health", server.base)).send().await.unwrap().status();
    assert_eq!(health().await, 200);

    forge.install("two", "two");
    server.signal("HUP");
    until_believed(&two, &server).await;
    assert_eq!(status(&one, &server, "/ready").await, None);
    assert_eq!(health().await, 200, "a connection that there is goes on");

    for (certificate, key) in [("one", "two"), ("two", "broken"), ("broken", "two")] {
        fs_err::write(forge.path("broken.key"), "no key").unwrap();
        fs_err::write(forge.path("broken.pem"), "no certificate").unwrap();
        forge.install(certificate, key);
        let before = failures(&two, &server).await;
        server.signal("HUP");
        while failures(&two, &server).await == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(status(&two, &server, "/ready").await, Some(200), "the one before stays");
    }
    forge.install("one", "one");
    server.signal("HUP");
    until_believed(&one, &server).await;
}

/// How often a certificate could not be read again.
async fn failures(certificate: &[u8], server: &Server) -> u64 {
    let request = believer(certificate).get(format!("{}/metrics", server.base));
    let text = request.send().await.unwrap().text().await.unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("slipway_tls_reloads_total{result=\"failed\"} "));
    line.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_change_are_noticed_without_a_signal() {
    let (forge, folder) = (Forge::new(), tempfile::tempdir().unwrap());
    let (one, two) = (forge.make("one"), forge.make("two"));
    forge.install("one", "one");
    filled(folder.path(), Policy::default()).await;
    let server = forge.serve(folder.path(), &[("SLIPWAY_UPDATE_SERVER_TLS_INTERVAL", "1")]);
    until_believed(&one, &server).await;
    forge.install("two", "two");
    until_believed(&two, &server).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let forge = Forge::new();
    forge.make("one");
    forge.make("two");
    fs_err::write(forge.path("empty.pem"), "").unwrap();
    fs_err::write(
        forge.path("empty.key"),
        "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    forge.install("one", "one");
    let certificate = Certificate::read(forge.files()).await.unwrap();
    assert_eq!(certificate.reload().await.unwrap(), Reloaded::Unchanged);
    let check = async |certificate_file: &str, key: &str, expected: &str| {
        forge.install(certificate_file, key);
        let error = slipway_update_server::chain(&certificate.reload().await.unwrap_err());
        assert!(error.contains(expected), "{error}");
    };
    check("one", "two", "server.key` does not go with the certificate").await;
    check("empty", "one", "server.pem` holds no certificate as PEM").await;
    check("one", "empty", "server.key` holds no private key as PEM").await;
    fs_err::remove_file(forge.path("server.pem")).unwrap();
    let error = slipway_update_server::chain(&certificate.reload().await.unwrap_err());
    assert!(error.contains("server.pem"), "{error}");
    forge.install("two", "two");
    assert_eq!(certificate.reload().await.unwrap(), Reloaded::Changed);
}

#[test]
fn a_server_does_not_start_with_files_that_cannot_be_used() {
    let forge = Forge::new();
    forge.make("one");
    forge.make("two");
    forge.install("one", "two");
    let arguments = ["serve", "--tls-certificate", "server.pem", "--tls-key", "server.key"];
    let output = program(forge.folder.path(), &arguments).stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let expected = "the key `server.key` does not go with the certificate `server.pem`";
    assert!(!output.status.success() && text.contains(expected), "{text}");
}
