//! The files of Secure Boot in the key folder: private keys, certificates, and what enrols them.

use camino::Utf8PathBuf;
use jiff::Timestamp;

use super::{BootKey, BootRole, Certificate, Enrolment};
use crate::{
    BootSources, KeyMark, KeySource, Passphrase, SigningError,
    source::{VariableSource, make_dir, read_file, set_aside, write_file},
};

/// Where the keys of Secure Boot are looked for.
pub struct BootKeyring<'a> {
    /// The keys, by `roles.toml`.
    pub sources: &'a BootSources,
    /// The folder of key files.
    pub dir: Utf8PathBuf,
    /// Reads a variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

impl BootKeyring<'_> {
    /// Whether the private key of a role is here.
    pub fn has(&self, role: BootRole) -> bool {
        match self.sources.get(role) {
            KeySource::File(file) => self.dir.join(file).exists(),
            KeySource::Environment(variable) => (self.environment)(variable).is_some(),
            KeySource::Token(_) => false,
        }
    }

    /// Whether the certificate of a role is here, so that nobody makes another key for it.
    pub fn has_certificate(&self, role: BootRole) -> bool {
        self.certificate_path(role).exists()
    }

    /// Opens the private key of a role.
    ///
    /// # Errors
    /// When it is not there, others can read its file, or it is no RSA key.
    pub fn open(
        &self,
        role: BootRole,
        passphrase: &mut Passphrase<'_>,
    ) -> Result<BootKey, SigningError> {
        let name = role.key_name();
        let text = match self.sources.get(role) {
            KeySource::File(file) => read_file(&name, &self.dir.join(file))?,
            KeySource::Environment(variable) => {
                let environment = self.environment;
                VariableSource { name: &name, variable, environment }.text()?
            }
            KeySource::Token(_) => return Err(self.no_file(role)),
        };
        BootKey::from_pem(role, &text, passphrase)
    }

    /// The certificate of a role, from the file that its holder may give away.
    ///
    /// # Errors
    /// When it is not there, or is none.
    pub fn certificate(&self, role: BootRole) -> Result<Certificate, SigningError> {
        let path = self.certificate_path(role);
        let bytes = fs_err::read(&path).map_err(|source| SigningError::File {
            operation: "read the certificate of",
            key: role.key_name(),
            source,
        })?;
        Certificate::parse(&bytes).map_err(|error| SigningError::Key {
            key: role.key_name(),
            problem: format!("`{path}`: {error}"),
        })
    }

    /// Makes the key of a role that is not there yet, and its certificate.
    ///
    /// # Errors
    /// When it is there, its source is no file, or it cannot be written.
    pub fn create(
        &self,
        role: BootRole,
        mark: KeyMark,
        passphrase: Option<&str>,
    ) -> Result<BootKey, SigningError> {
        let KeySource::File(file) = self.sources.get(role) else { return Err(self.no_file(role)) };
        let key = BootKey::generate(role, mark)?;
        write_file(&role.key_name(), &self.dir.join(file), &key.to_pem(passphrase)?)?;
        let text = key.certificate().to_pem().map_err(|error| SigningError::Key {
            key: role.key_name(),
            problem: error.to_string(),
        })?;
        self.write(role, &self.certificate_path(role), text.as_bytes())?;
        Ok(key)
    }

    /// Puts the key of a role aside with its certificate, so that a new one can be made; says where the key is now.
    ///
    /// # Errors
    /// When its source is no file, or a file cannot be renamed.
    pub fn retire(&self, role: BootRole) -> Result<Utf8PathBuf, SigningError> {
        let KeySource::File(file) = self.sources.get(role) else { return Err(self.no_file(role)) };
        let aside = set_aside(&role.key_name(), &self.dir.join(file))?;
        if self.has_certificate(role) {
            set_aside(&role.key_name(), &self.certificate_path(role))?;
        }
        Ok(aside)
    }

    /// The files that enrol the certificates, if all of them are here. Files of other certificates than those that are here, of
    /// keys that were replaced, are none.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn enrolment(&self) -> Result<Option<Enrolment>, SigningError> {
        let mut files = Vec::new();
        for role in BootRole::ALL {
            let path = self.enrolment_path(role);
            if !path.exists() {
                return Ok(None);
            }
            files.push(fs_err::read(&path).map_err(|source| SigningError::File {
                operation: "read the enrolment of",
                key: role.key_name(),
                source,
            })?);
        }
        let enrolment = files.try_into().ok().map(Enrolment::from_files);
        for role in BootRole::ALL.into_iter().filter(|role| self.has_certificate(*role)) {
            let certificate = self.certificate(role)?;
            if !enrolment.as_ref().is_some_and(|files| files.enrols(role, &certificate)) {
                return Ok(None);
            }
        }
        Ok(enrolment)
    }

    /// Makes the files that enrol the certificates, anew if they are there. It takes the private keys of PK and KEK.
    ///
    /// # Errors
    /// When one of them cannot be opened, the certificate of db is not there, or a file cannot be written.
    pub fn enrol(
        &self,
        passphrase: &mut Passphrase<'_>,
        time: Timestamp,
    ) -> Result<Enrolment, SigningError> {
        let pk = self.open(BootRole::Pk, passphrase)?;
        let kek = self.open(BootRole::Kek, passphrase)?;
        let db = self.certificate(BootRole::Db)?;
        let enrolment = Enrolment::new(&pk, &kek, &db, time).map_err(|error| {
            SigningError::Key { key: BootRole::Pk.key_name(), problem: error.to_string() }
        })?;
        for (role, (_, bytes)) in BootRole::ALL.into_iter().zip(enrolment.files()) {
            self.write(role, &self.enrolment_path(role), bytes)?;
        }
        Ok(enrolment)
    }

    fn certificate_path(&self, role: BootRole) -> Utf8PathBuf {
        self.dir.join(format!("{}.crt", role.key_name()))
    }

    fn enrolment_path(&self, role: BootRole) -> Utf8PathBuf {
        self.dir.join(format!("{}.auth", role.key_name()))
    }

    fn write(&self, role: BootRole, path: &Utf8PathBuf, bytes: &[u8]) -> Result<(), SigningError> {
        make_dir(&self.dir).and_then(|()| fs_err::write(path, bytes)).map_err(|source| {
            SigningError::File { operation: "write what belongs to", key: role.key_name(), source }
        })
    }

    fn no_file(&self, role: BootRole) -> SigningError {
        let problem = format!("`{}` is no file, so it is not made here", self.sources.get(role));
        SigningError::Key { key: role.key_name(), problem }
    }
}
