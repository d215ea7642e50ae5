//! Keys from the command line: those of roles, on a token as in files, and those of Secure Boot.

use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};

/// Where Debian has SoftHSM, by package version.
const MODULES: [&str; 2] =
    ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];

/// A user with a work tree of their own, in which `signing/roles.toml` is another.
struct User {
    dir: tempfile::TempDir,
}

impl User {
    fn new(roles: &str) -> Self {
        let user = Self { dir: tempfile::tempdir().unwrap() };
        let ours = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let tree = user.path("tree");
        fs_err::create_dir_all(tree.join("signing")).unwrap();
        for name in ["channels", "overlays", "packages-manifest", "sdk"] {
            fs_err::os::unix::fs::symlink(ours.join(name), tree.join(name)).unwrap();
        }
        fs_err::write(tree.join("signing/roles.toml"), roles).unwrap();
        user
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    fn command(&self, program: &str) -> Command {
        #[expect(clippy::disallowed_methods, reason = "variables are set as a user would")]
        let mut command = Command::new(program);
        command
            .env("SLIPWAY_CACHE", self.path("cache"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("SLIPWAY_PASSPHRASE", "123456")
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .env_remove("SLIPWAY_KEYS")
            .env_remove("SLIPWAY_RELEASES");
        if let Some(module) = MODULES.iter().find(|path| Utf8Path::new(path).exists()) {
            command.env("SLIPWAY_PKCS11_MODULE", module);
        }
        command
    }

    fn try_run(&self, args: &[&str]) -> Output {
        let tree = self.path("tree");
        let mut command = self.command(env!("CARGO_BIN_EXE_xtask"));
        command.args(["--repository", tree.as_str()]).args(args).output().unwrap()
    }

    /// What a verb prints, and what it says.
    #[track_caller]
    fn run(&self, args: &[&str]) -> (String, String) {
        let output = self.try_run(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}\n{out}{err}");
        (out, err)
    }

    fn key(&self, name: &str) -> Vec<u8> {
        fs_err::read(self.path("data/slipway/keys").join(name)).unwrap()
    }
}

const ROLES: &str = include_str!("../../../signing/roles.toml");

#[test]
fn keys_of_secure_boot_are_made_listed_and_replaced() {
    let user = User::new(ROLES);
    let (_, said) = user.run(&["key", "init"]);
    assert!(said.contains("3 keys of Secure Boot made"), "{said}");
    let (list, _) = user.run(&["key", "list"]);
    for line in ["PK: secure-boot-pk", "KEK: secure-boot-kek", "db: secure-boot-db"] {
        assert!(list.contains(&format!("Secure Boot {line} (here)\n")), "{list}");
    }
    // The files are of one owner's keys; the private ones are encrypted.
    let private = String::from_utf8(user.key("secure-boot-db.pem")).unwrap();
    assert!(private.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{private}");
    let files = ["secure-boot-db.crt", "secure-boot-db.auth", "secure-boot-pk.crt"];
    let before = files.map(|name| user.key(name));

    let root = user.key("root.json");
    let (_, said) = user.run(&["key", "rotate", "secure-boot-db"]);
    assert!(said.contains("secure-boot-db.pem.retired-1"), "{said}");
    let after = files.map(|name| user.key(name));
    assert_ne!((&before[0], &before[1]), (&after[0], &after[1]));
    assert_eq!(before[2], after[2]);
    assert_eq!(user.key("root.json"), root);
    user.run(&["verify"]);
}

#[test]
fn a_repository_without_secure_boot_has_no_such_keys() {
    let roles = ROLES.lines().filter(|line| !line.contains("secure-boot"));
    let user = User::new(&roles.collect::<Vec<_>>().join("\n"));
    user.run(&["key", "init", "--development"]);
    assert!(!user.run(&["key", "list"]).0.contains("Secure Boot"));
    let refused = user.try_run(&["key", "rotate", "secure-boot-db"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("signing/roles.toml has no `[secure-boot]`"), "{said}");
}

#[test]
fn keys_on_a_token_are_made_listed_and_replaced() {
    if !MODULES.iter().any(|path| Utf8Path::new(path).exists()) {
        #[expect(clippy::disallowed_methods, reason = "tests are configured by variables")]
        let required = std::env::var_os("SLIPWAY_REQUIRE_SOFTHSM").is_some();
        assert!(!required, "SLIPWAY_REQUIRE_SOFTHSM is set; install softhsm2");
        return;
    }
    let user = User::new(
        &ROLES
            .replace("file:root-1.pem", "pkcs11:token=Slipway;object=root-1")
            .replace("file:alpha.pem", "pkcs11:token=Slipway;object=alpha"),
    );
    fs_err::create_dir(user.path("tokens")).unwrap();
    let config = format!("directories.tokendir = {}\nlog.level = ERROR\n", user.path("tokens"));
    fs_err::write(user.path("softhsm2.conf"), config).unwrap();
    let mut init = user.command("softhsm2-util");
    init.args(["--init-token", "--free", "--label", "Slipway", "--so-pin", "654321"]);
    assert!(init.args(["--pin", "123456"]).output().unwrap().status.success());

    user.run(&["key", "init"]);
    let (list, _) = user.run(&["key", "list"]);
    assert!(list.contains("alpha (here)") && list.contains("root-1 (here)"), "{list}");
    // Both sign: the root of the repository, and a new one after a rotation.
    let (_, said) = user.run(&["key", "rotate", "alpha"]);
    assert!(
        said.contains("the old key is `pkcs11:token=Slipway;object=alpha.retired-1`"),
        "{said}"
    );
    user.run(&["verify"]);

    // Without its token, the key is elsewhere.
    fs_err::rename(user.path("tokens"), user.path("taken")).unwrap();
    fs_err::create_dir(user.path("tokens")).unwrap();
    let (list, _) = user.run(&["key", "list"]);
    assert!(list.contains("alpha (elsewhere)") && list.contains("root-1 (elsewhere)"), "{list}");
}
