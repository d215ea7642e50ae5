//! Opens keys where `roles.toml` says that they are.

use camino::Utf8PathBuf;
use zeroize::Zeroizing;

use crate::{
    KeyMark, KeyName, KeySource, PublicKey, RoleName, Roles, SecretKey, SigningError,
    source::{FileSource, Source, TokenSource, VariableSource, make_dir},
};

/// Asks for the passphrase of a key.
pub type Passphrase<'a> = dyn FnMut(&KeyName) -> Option<Zeroizing<String>> + 'a;

/// Where keys are looked for.
pub struct Keyring<'a> {
    /// The roles.
    pub roles: &'a Roles,
    /// The folder of key files.
    pub dir: Utf8PathBuf,
    /// Reads a variable: keys of the source `env:`, and `SLIPWAY_PKCS11_MODULE`, the library for tokens.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Keyring<'_> {
    /// Opens one key.
    ///
    /// # Errors
    /// When it is not there, others can read its file, or it is no key.
    pub fn open(
        &self,
        name: &KeyName,
        passphrase: &mut Passphrase<'_>,
    ) -> Result<SecretKey, SigningError> {
        self.source(name)?.open(passphrase)
    }

    /// The public half of a key: from the file beside it, which its holder may give away, else from the key itself.
    ///
    /// # Errors
    /// As [`Keyring::open`]; and when there is neither.
    pub fn public(
        &self,
        name: &KeyName,
        passphrase: &mut Passphrase<'_>,
    ) -> Result<PublicKey, SigningError> {
        let path = self.public_path(name);
        if !path.exists() {
            return Ok(self.open(name, passphrase)?.public());
        }
        let failed = |source| SigningError::File { operation: "read", key: name.clone(), source };
        let text = fs_err::read(&path).map_err(failed)?;
        let key = serde_json::from_slice(&text).ok().as_ref().and_then(PublicKey::from_tuf);
        key.ok_or_else(|| SigningError::Key {
            key: name.clone(),
            problem: format!("`{path}` is no public key"),
        })
    }

    /// Whether the public half of a key is here, so that nobody makes another key of that name.
    pub fn has_public(&self, name: &KeyName) -> bool {
        self.public_path(name).exists()
    }

    /// Where the public half of a key is.
    fn public_path(&self, name: &KeyName) -> Utf8PathBuf {
        self.dir.join(format!("{name}.pub"))
    }

    /// Whether the private key can be reached from here.
    pub fn has(&self, name: &KeyName) -> bool {
        self.source(name).is_ok_and(|source| source.has())
    }

    /// Whether the key is on a token, so that a PIN protects it whatever it is for.
    pub fn is_on_token(&self, name: &KeyName) -> bool {
        matches!(self.roles.keys.get(name), Some(KeySource::Token(_)))
    }

    /// Makes a key that is not there yet. `passphrase` encrypts a file, and is the PIN of a token.
    ///
    /// # Errors
    /// When it is there, its source is a variable, or it cannot be written.
    pub fn create(
        &self,
        name: &KeyName,
        mark: KeyMark,
        passphrase: Option<&str>,
    ) -> Result<SecretKey, SigningError> {
        let key = self.source(name)?.create(mark, passphrase)?;
        let public = serde_json::to_vec_pretty(&key.public().to_tuf());
        let public = public.map_err(|error| SigningError::metadata(&RoleName::Root, error))?;
        let failed = |source| SigningError::File { operation: "write", key: name.clone(), source };
        make_dir(&self.dir).map_err(failed)?;
        fs_err::write(self.public_path(name), public).map_err(failed)?;
        Ok(key)
    }

    /// Puts a key aside, so that a new one can be made; says where it is now. Nothing is deleted: old metadata may have to be
    /// looked at.
    ///
    /// # Errors
    /// When its source is a variable, or it cannot be renamed.
    pub fn retire(
        &self,
        name: &KeyName,
        passphrase: &mut Passphrase<'_>,
    ) -> Result<String, SigningError> {
        let aside = self.source(name)?.retire(passphrase)?;
        let failed =
            |source| SigningError::File { operation: "put aside", key: name.clone(), source };
        if self.public_path(name).exists() {
            fs_err::remove_file(self.public_path(name)).map_err(failed)?;
        }
        Ok(aside)
    }

    /// Opens a key to sign for `role`; refuses what may not.
    ///
    /// # Errors
    /// As [`Keyring::open`], and when a key for development would sign what is not for development.
    pub fn signer(
        &self,
        name: &KeyName,
        role: &RoleName,
        passphrase: &mut Passphrase<'_>,
    ) -> Result<SecretKey, SigningError> {
        let key = self.open(name, passphrase)?;
        let stable = matches!(role, RoleName::Channel(channel) if channel.as_str() == "stable");
        if stable && key.public().mark == KeyMark::Development {
            return Err(SigningError::Development { key: name.clone(), role: role.clone() });
        }
        Ok(key)
    }

    fn source<'a>(&'a self, name: &'a KeyName) -> Result<Box<dyn Source + 'a>, SigningError> {
        let source = self.roles.keys.get(name).ok_or_else(|| SigningError::Key {
            key: name.clone(),
            problem: "`[keys]` of roles.toml does not have it".to_owned(),
        })?;
        let environment = self.environment;
        Ok(match source {
            KeySource::File(file) => Box::new(FileSource { name, path: self.dir.join(file) }),
            KeySource::Environment(variable) => {
                Box::new(VariableSource { name, variable, environment })
            }
            KeySource::Token(uri) => Box::new(TokenSource { name, uri, environment }),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use camino::Utf8Path;

    use super::*;

    struct Fixture {
        dir: tempfile::TempDir,
        roles: Roles,
    }

    impl Fixture {
        fn new() -> Self {
            let text =
                include_str!("../roles.toml").replace("file:timestamp.pem", "env:TIMESTAMP_KEY");
            let roles = Roles::parse("roles.toml", &text).unwrap();
            Self { dir: tempfile::tempdir().unwrap(), roles }
        }

        fn ring<'a>(&'a self, environment: &'a dyn Fn(&str) -> Option<String>) -> Keyring<'a> {
            let dir = Utf8Path::from_path(self.dir.path()).unwrap().join("keys");
            Keyring { roles: &self.roles, dir, environment }
        }
    }

    fn key(name: &str) -> KeyName {
        name.parse().unwrap()
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let fixture = Fixture::new();
        let ring = fixture.ring(&|_| None);
        let made = ring.create(&key("alpha"), KeyMark::Release, None).unwrap();
        assert_eq!(ring.open(&key("alpha"), &mut |_| None).unwrap().public(), made.public());
        let mode = |path: &Utf8Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&ring.dir), mode(&ring.dir.join("alpha.pem"))), (0o700, 0o600));
        let again = ring.create(&key("alpha"), KeyMark::Release, None).unwrap_err();
        assert!(matches!(again, SigningError::Exists { .. }), "{again}");
        assert_eq!(ring.open(&key("alpha"), &mut |_| None).unwrap().public(), made.public());
        let aside = ring.retire(&key("alpha"), &mut |_| None).unwrap();
        assert_eq!(aside, ring.dir.join("alpha.pem.retired-1"));
        let other = ring.create(&key("alpha"), KeyMark::Release, None).unwrap();
        assert_ne!(other.public(), made.public());
    }

    /// One holder gives the public half away; the other one cannot sign with it.
    #[test]
    fn the_public_half_is_enough_to_name_a_key() {
        let (one, two) = (Fixture::new(), Fixture::new());
        let (one, two) = (one.ring(&|_| None), two.ring(&|_| None));
        let made = one.create(&key("stable-1"), KeyMark::Release, Some("secret")).unwrap();
        two.create(&key("stable-2"), KeyMark::Release, None).unwrap();
        fs_err::copy(one.dir.join("stable-1.pub"), two.dir.join("stable-1.pub")).unwrap();
        assert_eq!(two.public(&key("stable-1"), &mut |_| None).unwrap(), made.public());
        assert!(two.has_public(&key("stable-1")) && !two.has(&key("stable-1")));
        two.open(&key("stable-1"), &mut |_| None).unwrap_err();
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let fixture = Fixture::new();
        let ring = fixture.ring(&|_| None);
        ring.create(&key("beta"), KeyMark::Release, None).unwrap();
        let path = ring.dir.join("beta.pem");
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let error = ring.open(&key("beta"), &mut |_| None).unwrap_err();
        assert!(error.to_string().contains("can be read by others (mode 640)"), "{error}");
    }

    #[test]
    fn a_key_can_come_from_a_variable() {
        let fixture = Fixture::new();
        let made = SecretKey::generate(key("timestamp"), KeyMark::Release).unwrap();
        let text = made.to_pem(None).unwrap().to_string();
        let given = |name: &str| (name == "TIMESTAMP_KEY").then(|| text.clone());
        let opened = fixture.ring(&given).open(&key("timestamp"), &mut |_| None).unwrap();
        assert_eq!(opened.public(), made.public());
        let ring = fixture.ring(&given);
        ring.create(&key("timestamp"), KeyMark::Release, None).unwrap_err();
        ring.retire(&key("timestamp"), &mut |_| None).unwrap_err();
        let error = fixture.ring(&|_| None).open(&key("timestamp"), &mut |_| None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the key `timestamp` is expected in the variable `TIMESTAMP_KEY`, which is not set"
        );
    }

    #[test]
    fn a_key_for_development_does_not_sign_for_stable() {
        let fixture = Fixture::new();
        let ring = fixture.ring(&|_| None);
        for name in ["alpha", "stable-1"] {
            ring.create(&key(name), KeyMark::Development, None).unwrap();
        }
        let role = |name: &str| name.parse::<RoleName>().unwrap();
        ring.signer(&key("alpha"), &role("alpha"), &mut |_| None).unwrap();
        let error = ring.signer(&key("stable-1"), &role("stable"), &mut |_| None).unwrap_err();
        assert!(matches!(error, SigningError::Development { .. }), "{error}");
    }
}
