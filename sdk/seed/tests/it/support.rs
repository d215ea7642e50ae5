//! What the tests run against: a repository of the test's own, signed by a key of its own, a server that can be made to
//! fail, and commands that are only recorded or run in a chroot.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{Arc, Mutex},
};

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;
use pgp::{
    composed::{
        ArmorOptions, CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedPublicKey,
        SignedSecretKey,
    },
    packet::{SignatureConfig, SignatureType, Subpacket, SubpacketData},
    types::{Duration, KeyDetails as _, Password, Tag, Timestamp},
};
use slipway_seed::{
    EnsureOptions, KeyFile, RunError, RunInRoot, SeedSpec, SetupStep, Sha256Digest, UpdateOptions,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// When the test's key was made; its release is from the day after.
const KEY_MADE: u32 = 1_700_000_000;
/// The time of the tests.
pub(crate) const NOW: u64 = 1_710_000_000;
/// The `Date` of the release.
pub(crate) const RELEASE_EPOCH: u64 = 1_700_086_400;

/// A key that signs releases.
pub(crate) struct SigningKey(SignedSecretKey);

impl SigningKey {
    pub(crate) fn make(lifetime: Option<u32>) -> Self {
        let mut params = SecretKeyParamsBuilder::default();
        params
            .key_type(KeyType::Ed25519Legacy)
            .can_certify(true)
            .can_sign(true)
            .created_at(Timestamp::from_secs(KEY_MADE))
            .primary_user_id("Test <test@example.invalid>".into());
        let mut key = params.build().unwrap().generate(rand::thread_rng()).unwrap();
        if let Some(seconds) = lifetime {
            expire(&mut key, seconds);
        }
        Self(key)
    }

    pub(crate) fn armored(&self) -> String {
        SignedPublicKey::from(self.0.clone()).to_armored_string(ArmorOptions::default()).unwrap()
    }

    fn sign(&self, text: &str) -> String {
        let message = CleartextSignedMessage::sign(
            rand::thread_rng(),
            text,
            &self.0.primary_key,
            &Password::empty(),
        );
        message.unwrap().to_armored_string(ArmorOptions::default()).unwrap()
    }
}

/// Certifies the key's user anew, with an end.
fn expire(key: &mut SignedSecretKey, seconds: u32) {
    let mut config = SignatureConfig::from_key(
        rand::thread_rng(),
        &key.primary_key,
        SignatureType::CertPositive,
    )
    .unwrap();
    config.hashed_subpackets = [
        SubpacketData::SignatureCreationTime(Timestamp::from_secs(KEY_MADE)),
        SubpacketData::IssuerFingerprint(key.primary_key.fingerprint()),
        SubpacketData::KeyExpirationTime(Duration::from_secs(seconds)),
    ]
    .map(|data| Subpacket::regular(data).unwrap())
    .into();
    let public = key.primary_key.public_key();
    let user = &mut key.details.users[0];
    let signed = config.sign_certification(
        &key.primary_key,
        &public,
        &Password::empty(),
        Tag::UserId,
        &user.id,
    );
    user.signatures = vec![signed.unwrap()];
}

/// A package of the test repository.
#[derive(Clone, Default)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) fields: &'static str,
    pub(crate) files: Vec<(&'static str, Kind)>,
    pub(crate) control_files: Vec<(&'static str, &'static str)>,
}

/// An entry of a data archive.
#[derive(Clone)]
pub(crate) enum Kind {
    File(u32, &'static str),
    Directory(u32),
    Symlink(&'static str),
    Hardlink(&'static str),
    Device,
}

impl Package {
    pub(crate) fn path(&self) -> String {
        format!("pool/main/{}_{}_all.deb", self.name, self.version)
    }

    fn control(&self) -> String {
        format!(
            "Package: {}\nVersion: {}\nArchitecture: all\n{}",
            self.name, self.version, self.fields
        )
    }

    /// The bytes of the package file, compressed in one of the three ways.
    pub(crate) fn deb(&self) -> Vec<u8> {
        let mut control = tar::Builder::new(Vec::new());
        append(&mut control, "./control", &Kind::File(0o644, ""), self.control().as_bytes());
        for (name, text) in &self.control_files {
            append(&mut control, &format!("./{name}"), &Kind::File(0o755, ""), text.as_bytes());
        }
        let mut data = tar::Builder::new(Vec::new());
        for (path, kind) in &self.files {
            let text = if let Kind::File(_, text) = kind { text } else { "" };
            append(&mut data, path, kind, text.as_bytes());
        }
        let (control, data) = (control.into_inner().unwrap(), data.into_inner().unwrap());
        let (ending, data) = match self.name.len() % 3 {
            0 => (".xz", xz(&data)),
            1 => (".zst", zstd::encode_all(&*data, 3).unwrap()),
            _ => ("", data),
        };
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&control).unwrap();
        let mut deb = b"!<arch>\n".to_vec();
        for (name, bytes) in [
            ("debian-binary".to_owned(), b"2.0\n".to_vec()),
            ("control.tar.gz".to_owned(), gz.finish().unwrap()),
            (format!("data.tar{ending}"), data),
        ] {
            writeln!(deb, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, "100644", bytes.len())
                .unwrap();
            deb.extend(&bytes);
            deb.extend((bytes.len() % 2 == 1).then_some(b'\n'));
        }
        deb
    }
}

fn append(builder: &mut tar::Builder<Vec<u8>>, path: &str, kind: &Kind, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    let (entry, mode, target) = match kind {
        Kind::File(mode, _) => (tar::EntryType::Regular, *mode, None),
        Kind::Directory(mode) => (tar::EntryType::Directory, *mode, None),
        Kind::Symlink(target) => (tar::EntryType::Symlink, 0o777, Some(target)),
        Kind::Hardlink(target) => (tar::EntryType::Link, 0o644, Some(target)),
        Kind::Device => (tar::EntryType::Char, 0o600, None),
    };
    header.set_entry_type(entry);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_600_000_000);
    header.set_size(bytes.len() as u64);
    // Written by hand: the library refuses paths that a hostile package may have.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    if let Some(target) = target {
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
    }
    header.set_cksum();
    builder.append(&header, bytes).unwrap();
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The files of a mirror by path, as the server gives them out. A test may damage them.
pub(crate) type Files = Arc<Mutex<BTreeMap<String, Answer>>>;

/// What the server answers.
#[derive(Clone)]
pub(crate) enum Answer {
    Whole(Vec<u8>),
    /// Announces all, sends half, and hangs up.
    Truncated(Vec<u8>),
}

/// Signs a suite of these packages and puts it where the server finds it.
pub(crate) fn publish(files: &Files, key: &SigningKey, packages: &[Package]) {
    let release = release_text(files, packages);
    put(files, "dists/trixie/InRelease", key.sign(&release).into_bytes());
}

/// Puts the packages and their list in place, and gives the text of the release.
pub(crate) fn release_text(files: &Files, packages: &[Package]) -> String {
    let mut list = String::new();
    for package in packages {
        let deb = package.deb();
        let (path, digest) = (package.path(), Sha256Digest::of(&deb));
        list += &package.control();
        let place = format!("Filename: {path}\nSize: {}\nSHA256: {digest}\n\n", deb.len());
        list += &place;
        put(files, &path, deb);
    }
    let packed = xz(list.as_bytes());
    let digest = Sha256Digest::of(&packed);
    let text = format!(
        "Origin: Test\nSuite: stable\nVersion: 13.1\nCodename: trixie\nDate: Wed, 15 Nov 2023 22:13:20 UTC\nSHA256:\n \
         {digest} {} main/binary-amd64/Packages.xz\n",
        packed.len()
    );
    put(files, "dists/trixie/main/binary-amd64/Packages.xz", packed);
    text
}

pub(crate) fn put(files: &Files, path: &str, bytes: Vec<u8>) {
    files.lock().unwrap().insert(path.to_owned(), Answer::Whole(bytes));
}

pub(crate) fn put_signed(files: &Files, key: &SigningKey, text: &str) {
    put(files, "dists/trixie/InRelease", key.sign(text).into_bytes());
}

/// Serves the files and gives the address.
pub(crate) async fn serve(files: Files) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/debian", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let files = Arc::clone(&files);
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut buffer = [0; 1024];
                    match stream.read(&mut buffer).await {
                        Ok(read) if read > 0 => request.extend(&buffer[..read]),
                        _ => return,
                    }
                }
                let request = String::from_utf8(request).unwrap();
                let path = request
                    .split(' ')
                    .nth(1)
                    .and_then(|path| path.strip_prefix("/debian/"))
                    .unwrap_or("");
                let answer = files.lock().unwrap().get(path).cloned();
                let (status, length, body) = match answer {
                    Some(Answer::Whole(bytes)) => ("200 OK", bytes.len(), bytes),
                    Some(Answer::Truncated(bytes)) => {
                        ("200 OK", bytes.len(), bytes[..bytes.len() / 2].to_vec())
                    }
                    None => ("404 Not Found", 0, Vec::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                // A client that hangs up early is no failure of the server.
                let _sent = stream.write_all(&[head.into_bytes(), body].concat()).await;
            });
        }
    });
    address
}

/// A mirror, a cache and a specification for one test.
pub(crate) struct World {
    pub(crate) files: Files,
    pub(crate) key: SigningKey,
    mirror: String,
    temporary: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new(packages: &[Package]) -> Self {
        let (files, key) = (Files::default(), SigningKey::make(None));
        publish(&files, &key, packages);
        let mirror = serve(Arc::clone(&files)).await;
        Self { files, key, mirror, temporary: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn spec(&self, packages: &[&str]) -> SeedSpec {
        self.spec_with(packages, &self.key)
    }

    pub(crate) fn spec_with(&self, packages: &[&str], key: &SigningKey) -> SeedSpec {
        let text = format!(
            "suite = \"trixie\"\narchitecture = \"amd64\"\ncomponents = [\"main\"]\nrecommends = \"never\"\n\
             keys = [\"k.asc\"]\npackages = {packages:?}\n[portage]\nversion = \"3\"\nsha256 = \"{}\"\n",
            Sha256Digest::of(b"")
        );
        let read = |path: &Utf8Path| Ok(KeyFile { path: path.to_owned(), armored: key.armored() });
        SeedSpec::parse(&text, "seed.toml".into(), read).unwrap()
    }

    pub(crate) fn cache(&self) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.temporary.path().join("cache")).unwrap()
    }

    pub(crate) fn update_options(&self) -> UpdateOptions {
        UpdateOptions { mirror: self.mirror.parse().unwrap(), ca_bundle: None, now: NOW }
    }

    pub(crate) fn options(&self) -> EnsureOptions {
        EnsureOptions {
            cache_dir: self.cache(),
            mirror: self.mirror.parse().unwrap(),
            ca_bundle: None,
            setup: Vec::new(),
            allow_newer: false,
            now: NOW,
        }
    }

    /// Names below `sdk` in the cache that are neither the lock nor a place for files.
    pub(crate) fn results(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .cache()
            .join("sdk")
            .read_dir_utf8()
            .unwrap()
            .map(|e| e.unwrap().file_name().to_owned())
            .collect();
        names.retain(|name| !["lock", "debs", "newer"].contains(&name.as_str()));
        names
    }

    pub(crate) fn debs(&self) -> Vec<String> {
        let debs = self.cache().join("sdk/debs");
        let mut names: Vec<_> =
            debs.read_dir_utf8().unwrap().map(|e| e.unwrap().file_name().to_owned()).collect();
        names.sort();
        names
    }
}

/// The error with all of its reasons, as the terminal would show it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Records the steps and does what dpkg would do to the status file.
#[derive(Default)]
pub(crate) struct FakeRunner {
    pub(crate) steps: Mutex<Vec<SetupStep>>,
    pub(crate) fail_at: Option<&'static str>,
}

impl RunInRoot for FakeRunner {
    fn run<'a>(
        &'a self,
        root: &'a Utf8Path,
        step: &'a SetupStep,
    ) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(async move {
            self.steps.lock().unwrap().push(step.clone());
            if self.fail_at == Some(&step.name) {
                return Err("exit status 1".into());
            }
            if step.name == "configure" {
                assert!(root.join("usr/sbin/policy-rc.d").exists());
                let path = root.join("var/lib/dpkg/status");
                let status = fs_err::read_to_string(&path)?
                    .replace("install ok unpacked", "install ok installed");
                fs_err::write(&path, status)?;
            }
            Ok(())
        })
    }
}

/// Runs steps by `unshare` and `chroot`, as root.
pub(crate) struct Chroot;

impl RunInRoot for Chroot {
    fn run<'a>(
        &'a self,
        root: &'a Utf8Path,
        step: &'a SetupStep,
    ) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(async move {
            let script = "mount -t proc proc \"$1/proc\" && mount --bind /dev \"$1/dev\" && mount -t tmpfs tmpfs \"$1/tmp\" && \
                          exec chroot \"$@\"";
            let output = command("unshare")
                .args([
                    "--mount",
                    "--fork",
                    "--pid",
                    "--",
                    "/bin/sh",
                    "-euc",
                    script,
                    "sh",
                    root.as_str(),
                ])
                .args(&step.argv)
                .kill_on_drop(true)
                .env_clear()
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .envs(step.env.iter().cloned())
                .output()
                .await?;
            if output.status.success() {
                return Ok(());
            }
            let text = [output.stdout, output.stderr].concat();
            Err(format!("{}: {}", output.status, String::from_utf8_lossy(&text)).into())
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test stands in for the container engine; the environment is cleared"
)]
fn command(program: &str) -> tokio::process::Command {
    tokio::process::Command::new(program)
}
