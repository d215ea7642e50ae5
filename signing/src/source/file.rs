//! Keys in files, which only their owner can read.

use std::{io::Write as _, os::unix::fs::PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use zeroize::Zeroizing;

use super::Source;
use crate::{KeyMark, KeyName, Passphrase, SecretKey, SigningError};

/// A PKCS#8 file.
pub(crate) struct FileSource<'a> {
    pub(crate) name: &'a KeyName,
    pub(crate) path: Utf8PathBuf,
}

impl Source for FileSource<'_> {
    fn has(&self) -> bool {
        self.path.exists()
    }

    fn open(&self, passphrase: &mut Passphrase<'_>) -> Result<SecretKey, SigningError> {
        SecretKey::from_pem(self.name, &read_file(self.name, &self.path)?, passphrase)
    }

    fn create(&self, mark: KeyMark, passphrase: Option<&str>) -> Result<SecretKey, SigningError> {
        let key = SecretKey::generate(self.name.clone(), mark)?;
        write_file(self.name, &self.path, &key.to_pem(passphrase)?)?;
        Ok(key)
    }

    fn retire(&self, _passphrase: &mut Passphrase<'_>) -> Result<String, SigningError> {
        set_aside(self.name, &self.path).map(Utf8PathBuf::into_string)
    }
}

/// The text of a key file; refused when others can read it.
pub(crate) fn read_file(
    name: &KeyName,
    path: &Utf8Path,
) -> Result<Zeroizing<String>, SigningError> {
    let failed = |source| SigningError::File { operation: "read", key: name.clone(), source };
    let mode = fs_err::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SigningError::Exposed { path: path.to_owned(), mode });
    }
    fs_err::read_to_string(path).map(Zeroizing::new).map_err(failed)
}

/// Makes the folder of keys, for the owner alone.
pub(crate) fn make_dir(dir: &Utf8Path) -> std::io::Result<()> {
    if !dir.exists() {
        fs_err::create_dir_all(dir)?;
        fs_err::set_permissions(dir, PermissionsExt::from_mode(0o700))?;
    }
    Ok(())
}

/// Writes a new key file: whole or not at all, for the owner alone, never over another.
pub(crate) fn write_file(name: &KeyName, path: &Utf8Path, text: &str) -> Result<(), SigningError> {
    let failed = |source| SigningError::File { operation: "write", key: name.clone(), source };
    let dir = path.parent().unwrap_or(Utf8Path::new("."));
    make_dir(dir).map_err(failed)?;
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => SigningError::Exists { place: path.to_string() },
        _ => failed(error.error),
    })?;
    Ok(())
}

/// Renames a key file, so that a new one can be made: old signatures may have to be looked at.
pub(crate) fn set_aside(name: &KeyName, path: &Utf8Path) -> Result<Utf8PathBuf, SigningError> {
    let numbered = |number: u32| Utf8PathBuf::from(format!("{path}.retired-{number}"));
    let mut number = 1;
    while numbered(number).exists() {
        number += 1;
    }
    let aside = numbered(number);
    fs_err::rename(path, &aside).map_err(|source| SigningError::File {
        operation: "put aside",
        key: name.clone(),
        source,
    })?;
    Ok(aside)
}
