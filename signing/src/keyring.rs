//! Opens keys where `roles.toml` says that they are.

use std::{io::Write as _, os::unix::fs::PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use zeroize::Zeroizing;

use crate::{KeyMark, KeyName, KeySource, PublicKey, RoleName, Roles, SecretKey, SigningError};

/// Asks for the passphrase of a key.
pub type Passphrase<'a> = dyn FnMut(&KeyName) -> Option<Zeroizing<String>> + 'a;

/// Where keys are looked for.
pub struct Keyring<'a> {
    /// The roles.
    pub roles: &'a Roles,
    /// The folder of key files.
    pub dir: Utf8PathBuf,
    /// Reads a variable.
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
        let text = match self.source(name)? {
            KeySource::File(file) => read(name, &self.dir.join(file))?,
            KeySource::Environment(variable) => {
                let text = (self.environment)(variable).ok_or_else(|| {
                    SigningError::NoVariable { key: name.clone(), variable: variable.clone() }
                })?;
                Zeroizing::new(text)
            }
        };
        SecretKey::from_pem(name, &text, passphrase)
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

    /// Whether the key is a file or variable that is there.
    pub fn has(&self, name: &KeyName) -> bool {
        match self.source(name) {
            Ok(KeySource::File(file)) => self.dir.join(file).exists(),
            Ok(KeySource::Environment(variable)) => (self.environment)(variable).is_some(),
            Err(_) => false,
        }
    }

    /// Makes the file of a key that is not there yet.
    ///
    /// # Errors
    /// When it is there, its source is no file, or it cannot be written.
    pub fn create(
        &self,
        name: &KeyName,
        mark: KeyMark,
        passphrase: Option<&str>,
    ) -> Result<SecretKey, SigningError> {
        let KeySource::File(file) = self.source(name)? else {
            let problem = "its source is no file, so it is not made here".to_owned();
            return Err(SigningError::Key { key: name.clone(), problem });
        };
        let path = self.dir.join(file);
        let key = SecretKey::generate(name.clone(), mark)?;
        write(name, &path, &key.to_pem(passphrase)?)?;
        let public = serde_json::to_vec_pretty(&key.public().to_tuf());
        let public = public.map_err(|error| SigningError::metadata(&RoleName::Root, error))?;
        let failed = |source| SigningError::File { operation: "write", key: name.clone(), source };
        fs_err::write(self.public_path(name), public).map_err(failed)?;
        Ok(key)
    }

    /// Puts the file of a key aside, so that a new one can be made. Nothing is deleted: old metadata may have to be looked at.
    ///
    /// # Errors
    /// When its source is no file, or the file cannot be renamed.
    pub fn retire(&self, name: &KeyName) -> Result<Utf8PathBuf, SigningError> {
        let KeySource::File(file) = self.source(name)? else {
            let problem = "its source is no file, so it is not replaced here".to_owned();
            return Err(SigningError::Key { key: name.clone(), problem });
        };
        let path = self.dir.join(file);
        let mut number = 1;
        let mut aside = self.dir.join(format!("{file}.retired-{number}"));
        while aside.exists() {
            number += 1;
            aside = self.dir.join(format!("{file}.retired-{number}"));
        }
        let failed =
            |source| SigningError::File { operation: "put aside", key: name.clone(), source };
        fs_err::rename(&path, &aside).map_err(failed)?;
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

    fn source(&self, name: &KeyName) -> Result<&KeySource, SigningError> {
        self.roles.keys.get(name).ok_or_else(|| SigningError::Key {
            key: name.clone(),
            problem: "`[keys]` of roles.toml does not have it".to_owned(),
        })
    }
}

fn read(name: &KeyName, path: &Utf8Path) -> Result<Zeroizing<String>, SigningError> {
    let failed = |source| SigningError::File { operation: "read", key: name.clone(), source };
    let mode = fs_err::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SigningError::Exposed { path: path.to_owned(), mode });
    }
    fs_err::read_to_string(path).map(Zeroizing::new).map_err(failed)
}

/// Writes a new key file: whole or not at all, for the owner alone, never over another.
fn write(name: &KeyName, path: &Utf8Path, text: &str) -> Result<(), SigningError> {
    let failed = |source| SigningError::File { operation: "write", key: name.clone(), source };
    let dir = path.parent().unwrap_or(Utf8Path::new("."));
    if !dir.exists() {
        fs_err::create_dir_all(dir).map_err(failed)?;
        fs_err::set_permissions(dir, PermissionsExt::from_mode(0o700)).map_err(failed)?;
    }
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => SigningError::Exists { path: path.to_owned() },
        _ => failed(error.error),
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
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
        let aside = ring.retire(&key("alpha")).unwrap();
        assert_eq!(aside.file_name(), Some("alpha.pem.retired-1"));
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
