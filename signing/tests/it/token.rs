//! Keys on a token, with SoftHSM.
//!
//! SoftHSM finds its tokens by a variable of the process, so what uses it is a test of its own (ignored when all are run), which the
//! test that prepares the token starts in a process of its own.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use slipway_signing::{
    KeyMark, KeyName, Keyring, Pending, RoleKeys, RoleName, Roles, SigningError, Zeroizing,
    new_root,
};

use crate::world::chain;

/// Where Debian has the module, by package version.
const MODULES: [&str; 2] =
    ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
const PIN: &str = "123456";
const FOLDER: &str = "SLIPWAY_TEST_TOKEN";

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by variables")]
    std::env::var(name).ok()
}

fn module() -> Option<&'static str> {
    let found = MODULES.into_iter().find(|path| Utf8Path::new(path).exists());
    let required = variable("SLIPWAY_REQUIRE_SOFTHSM").is_some();
    assert!(found.is_some() || !required, "SLIPWAY_REQUIRE_SOFTHSM is set; install softhsm2");
    if found.is_none() {
        eprintln!("skipped: softhsm2 is not installed");
    }
    found
}

#[test]
fn keys_on_a_token_sign() {
    if module().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let config = dir.join("softhsm2.conf");
    fs_err::create_dir(dir.join("tokens")).unwrap();
    fs_err::write(&config, format!("directories.tokendir = {dir}/tokens\nlog.level = ERROR\n"))
        .unwrap();
    let run = |program: &Utf8Path, args: &[&str]| {
        #[expect(clippy::disallowed_methods, reason = "the variable is what it is started for")]
        let mut command = Command::new(program);
        command.args(args).env("SOFTHSM2_CONF", &config).env(FOLDER, dir);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let init = ["--init-token", "--free", "--label", "Slipway test", "--so-pin", "654321", "--pin"];
    run(Utf8Path::new("softhsm2-util"), &[&init[..], &[PIN]].concat());
    let own = Utf8PathBuf::try_from(std::env::current_exe().unwrap()).unwrap();
    let text = run(&own, &["--exact", "token::on_the_token", "--ignored", "--nocapture"]);
    assert!(text.contains("1 passed"), "{text}");
}

fn key(name: &str) -> KeyName {
    name.parse().unwrap()
}

fn pin(_: &KeyName) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(PIN.to_owned()))
}

#[test]
#[ignore = "needs a token, which `keys_on_a_token_sign` makes"]
fn on_the_token() {
    let dir = Utf8PathBuf::from(variable(FOLDER).expect("started by `keys_on_a_token_sign`"));
    let text = include_str!("../../roles.toml")
        .replace("file:root-1.pem", "pkcs11:token=Slipway%20test;object=root-1")
        .replace("file:root-2.pem", "pkcs11:token=Slipway%20test;object=root-2")
        .replace("file:alpha.pem", "pkcs11:token=another;object=alpha");
    let roles = Roles::parse("roles.toml", &text).unwrap();
    let environment =
        |name: &str| (name == "SLIPWAY_PKCS11_MODULE").then(|| module().unwrap().to_owned());
    let ring = Keyring { roles: &roles, dir: dir.join("keys"), environment: &environment };

    // Nothing is there; a wrong PIN, none, or another token make nothing.
    assert!(!ring.has(&key("root-1")));
    let refused = |name: &str, pin: Option<&str>, expected: &str| {
        let error = chain(&ring.create(&key(name), KeyMark::Release, pin).unwrap_err());
        assert!(error.contains(expected), "{error}");
    };
    refused("root-1", Some("999999"), "the PIN is wrong");
    refused("root-1", None, "there is no passphrase for it");
    refused("alpha", Some(PIN), "the token `another` is not there");

    let made = ring.create(&key("root-1"), KeyMark::Release, Some(PIN)).unwrap();
    assert!(ring.has(&key("root-1")) && ring.is_on_token(&key("root-1")));
    refused("root-1", Some(PIN), "object=root-1` is there already");
    assert!(made.to_pem(None).unwrap_err().to_string().contains("does not leave its token"));
    let opened = ring.open(&key("root-1"), &mut pin).unwrap();
    assert_eq!(opened.public(), made.public());
    assert_eq!(ring.public(&key("root-1"), &mut |_| None).unwrap(), made.public());

    // A key for development stays one, wherever its public half is read.
    let second = ring.create(&key("root-2"), KeyMark::Development, Some(PIN)).unwrap();
    assert_eq!(ring.open(&key("root-2"), &mut pin).unwrap().public(), second.public());
    assert_eq!(second.public().mark, KeyMark::Development);
    assert_ne!(second.public().bytes, made.public().bytes);

    // Two keys of the token and one file: two of three sign a root.
    ring.create(&key("root-3"), KeyMark::Release, None).unwrap();
    for name in ["targets-1", "snapshot", "timestamp"] {
        ring.create(&key(name), KeyMark::Release, None).unwrap();
    }
    let complete = |signers: &[&str]| {
        let at = slipway_signing::Expiry {
            version: std::num::NonZeroU64::MIN,
            expires: jiff::Timestamp::MAX,
        };
        let public = |name: &KeyName| ring.public(name, &mut |_| None);
        let root = new_root(&roles, &public, at).unwrap();
        let keys = RoleKeys::of_root(&root, &RoleName::Root).unwrap();
        let mut pending = Pending::new(RoleName::Root, root);
        for name in signers {
            pending.sign(&ring.open(&key(name), &mut pin).unwrap(), &[&keys]).unwrap();
        }
        pending.complete(&[&keys])
    };
    complete(&["root-1", "root-2"]).unwrap();
    complete(&["root-1", "root-3"]).unwrap();
    assert!(matches!(complete(&["root-1"]), Err(SigningError::Threshold { .. })));

    // Rotation: the old key is renamed and stays, the new one is another.
    for number in 1..=2 {
        let aside = ring.retire(&key("root-1"), &mut pin).unwrap();
        assert_eq!(aside, format!("pkcs11:token=Slipway%20test;object=root-1.retired-{number}"));
        assert!(!ring.has(&key("root-1")) && !ring.has_public(&key("root-1")));
        let new = ring.create(&key("root-1"), KeyMark::Release, Some(PIN)).unwrap();
        assert_ne!(new.public(), made.public());
    }
    complete(&["root-1", "root-2"]).unwrap();
}
