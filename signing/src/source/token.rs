//! Keys on tokens: smart cards and hardware security modules, by PKCS #11 (OASIS, version 3.0). Such a key never leaves its token.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use camino::Utf8PathBuf;
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::{Session, SessionState, UserType},
    slot::Slot,
    types::AuthPin,
};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};

use super::{Source, TokenUri};
use crate::{KeyMark, KeyName, Passphrase, SecretKey, SigningError, key::Signer};

/// The variable that names the module of tokens whose URI does not.
const MODULE_VARIABLE: &str = "SLIPWAY_PKCS11_MODULE";
/// The curve, as PKCS #11 3.0, section 2.3.10, names it: a printable string.
const EDWARDS25519: &[u8] = b"\x13\x0cedwards25519";
/// What the identifier of a key for development begins with.
const DEVELOPMENT_ID: &[u8] = b"slipway-development:";
const RELEASE_ID: &[u8] = b"slipway:";

/// The modules of this process. One is initialised once per process (PKCS #11 3.0, section 5.4), whoever uses it.
static MODULES: Mutex<BTreeMap<Utf8PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// A key on a token.
pub(crate) struct TokenSource<'a> {
    pub(crate) name: &'a KeyName,
    pub(crate) uri: &'a TokenUri,
    pub(crate) environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Source for TokenSource<'_> {
    fn has(&self) -> bool {
        // The public half can be seen without a PIN.
        let found = self.session(Access::Read).and_then(|session| self.find(&session, PUBLIC));
        found.is_ok_and(|found| found.is_some())
    }

    fn open(&self, passphrase: &mut Passphrase<'_>) -> Result<SecretKey, SigningError> {
        let session = self.session(Access::Read)?;
        let public = self.find(&session, PUBLIC)?.ok_or_else(|| self.missing())?;
        self.log_in(&session, || passphrase(self.name))?;
        self.key(session, public)
    }

    fn create(&self, mark: KeyMark, passphrase: Option<&str>) -> Result<SecretKey, SigningError> {
        let session = self.session(Access::Write)?;
        self.log_in(&session, || passphrase.map(|pin| pin.to_owned().into()))?;
        for class in [PUBLIC, PRIVATE] {
            if self.find(&session, class)?.is_some() {
                return Err(SigningError::Exists { place: self.uri.to_string() });
            }
        }
        let prefix = match mark {
            KeyMark::Development => DEVELOPMENT_ID,
            KeyMark::Release => RELEASE_ID,
        };
        let label = Attribute::Label(self.uri.object.clone().into_bytes());
        let id = Attribute::Id([prefix, self.uri.object.as_bytes()].concat());
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(EDWARDS25519.to_vec()),
            label.clone(),
            id.clone(),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            label,
            id,
        ];
        let (public, _) = session
            .generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private)
            .map_err(|error| self.failed("make an ed25519 key", error))?;
        self.key(session, public)
    }

    fn retire(&self, passphrase: &mut Passphrase<'_>) -> Result<String, SigningError> {
        let session = self.session(Access::Write)?;
        let public = self.find(&session, PUBLIC)?.ok_or_else(|| self.missing())?;
        self.log_in(&session, || passphrase(self.name))?;
        let private = self.find(&session, PRIVATE)?.ok_or_else(|| self.missing())?;
        let mut aside = self.uri.clone();
        let mut number = 1;
        loop {
            aside.object = format!("{}.retired-{number}", self.uri.object);
            let there = TokenSource { uri: &aside, ..*self }.find(&session, PUBLIC)?;
            if there.is_none() {
                break;
            }
            number += 1;
        }
        let label = [Attribute::Label(aside.object.clone().into_bytes())];
        for object in [private, public] {
            session
                .update_attributes(object, &label)
                .map_err(|error| self.failed("rename the key", error))?;
        }
        Ok(aside.to_string())
    }
}

/// What a session may do.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

const PUBLIC: ObjectClass = ObjectClass::PUBLIC_KEY;
const PRIVATE: ObjectClass = ObjectClass::PRIVATE_KEY;

impl TokenSource<'_> {
    fn failed(&self, operation: &'static str, source: Error) -> SigningError {
        SigningError::Token { key: self.name.clone(), operation, source: Box::new(source) }
    }

    fn refuse(&self, problem: String) -> SigningError {
        SigningError::Key { key: self.name.clone(), problem }
    }

    fn missing(&self) -> SigningError {
        self.refuse(format!("`{}` is not on the token", self.uri))
    }

    /// The library that reaches the token.
    fn module(&self) -> Result<Pkcs11, SigningError> {
        let bad = |problem: String| SigningError::Module { key: self.name.clone(), problem };
        let path = self.uri.module.clone();
        let path = path.or_else(|| (self.environment)(MODULE_VARIABLE).map(Utf8PathBuf::from));
        let path = path.ok_or_else(|| {
            bad(format!("neither `?module-path=` nor `{MODULE_VARIABLE}` says which it is"))
        })?;
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(&path) {
            return Ok(module.clone());
        }
        let module = Pkcs11::new(&path).map_err(|error| bad(format!("`{path}`: {error}")))?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(bad(format!("`{path}`: {error}"))),
        }
        modules.insert(path, module.clone());
        Ok(module)
    }

    fn session(&self, access: Access) -> Result<Session, SigningError> {
        let module = self.module()?;
        let slot = self.slot(&module)?;
        let session = match access {
            Access::Read => module.open_ro_session(slot),
            Access::Write => module.open_rw_session(slot),
        };
        session.map_err(|error| self.failed("be opened", error))
    }

    /// The one slot with the token.
    fn slot(&self, module: &Pkcs11) -> Result<Slot, SigningError> {
        let failed = |error| self.failed("be looked for", error);
        let mut found = Vec::new();
        for slot in module.get_slots_with_initialized_token().map_err(failed)? {
            let info = module.get_token_info(slot).map_err(failed)?;
            let serial = self.uri.serial.as_deref();
            if info.label() == self.uri.token
                && serial.is_none_or(|serial| info.serial_number() == serial)
            {
                found.push(slot);
            }
        }
        match found[..] {
            [slot] => Ok(slot),
            [] => Err(self.refuse(format!("the token `{}` is not there", self.uri.token))),
            _ => Err(self.refuse(format!(
                "there are {} tokens `{}`; say which with `serial=`",
                found.len(),
                self.uri.token
            ))),
        }
    }

    /// The one object with the label of the key.
    fn find(
        &self,
        session: &Session,
        class: ObjectClass,
    ) -> Result<Option<ObjectHandle>, SigningError> {
        let template = [
            Attribute::Class(class),
            Attribute::KeyType(KeyType::EC_EDWARDS),
            Attribute::Label(self.uri.object.clone().into_bytes()),
        ];
        let found = session
            .find_objects(&template)
            .map_err(|error| self.failed("be searched for the key", error))?;
        match found[..] {
            [] => Ok(None),
            [object] => Ok(Some(object)),
            _ => Err(self.refuse(format!("there are {} keys `{}`", found.len(), self.uri))),
        }
    }

    /// Logs in, unless this process has done so for another key of the token.
    fn log_in(
        &self,
        session: &Session,
        pin: impl FnOnce() -> Option<zeroize::Zeroizing<String>>,
    ) -> Result<(), SigningError> {
        let info = session.get_session_info().map_err(|error| self.failed("be opened", error))?;
        if matches!(info.session_state(), SessionState::RoUser | SessionState::RwUser) {
            return Ok(());
        }
        let pin = pin().ok_or_else(|| SigningError::NoPassphrase { key: self.name.clone() })?;
        match session.login(UserType::User, Some(&AuthPin::from(pin.as_str()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Error::Pkcs11(RvError::PinIncorrect, _)) => {
                Err(self.refuse("the PIN is wrong; the token counts how often".to_owned()))
            }
            Err(error) => Err(self.failed("be logged in to", error)),
        }
    }

    /// The key whose public half is `public`.
    fn key(&self, session: Session, public: ObjectHandle) -> Result<SecretKey, SigningError> {
        let wanted = [AttributeType::EcPoint, AttributeType::Id];
        let attributes = session
            .get_attributes(public, &wanted)
            .map_err(|error| self.failed("show the public key", error))?;
        let (mut point, mut mark) = (None, KeyMark::Release);
        for attribute in attributes {
            match attribute {
                Attribute::EcPoint(bytes) => point = ed25519_point(&bytes),
                Attribute::Id(id) if id.starts_with(DEVELOPMENT_ID) => mark = KeyMark::Development,
                _ => {}
            }
        }
        let point = point.and_then(|point| VerifyingKey::from_bytes(&point).ok());
        let public = point.ok_or_else(|| self.refuse("it is no ed25519 key".to_owned()))?;
        let private = self.find(&session, PRIVATE)?.ok_or_else(|| self.missing())?;
        let signer = TokenKey { session: Mutex::new(session), private, public };
        Ok(SecretKey::new(self.name.clone(), mark, Box::new(signer)))
    }
}

/// The point of an ed25519 key. Tokens differ: it is bare, in an octet string, or in a bit string (PKCS #11 3.0, section 2.3.5).
fn ed25519_point(bytes: &[u8]) -> Option<[u8; 32]> {
    let bare = match bytes.len() {
        34 => bytes.strip_prefix(&[0x04, 32])?,
        35 => bytes.strip_prefix(&[0x03, 33, 0])?,
        _ => bytes,
    };
    bare.try_into().ok()
}

/// A key that its token signs with.
struct TokenKey {
    session: Mutex<Session>,
    private: ObjectHandle,
    public: VerifyingKey,
}

impl Signer for TokenKey {
    fn public(&self) -> [u8; 32] {
        self.public.to_bytes()
    }

    fn sign(&self, name: &KeyName, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
        let signed = session.sign(&mechanism, self.private, message);
        let signature = signed.map_err(|error| SigningError::Token {
            key: name.clone(),
            operation: "sign",
            source: Box::new(error),
        })?;
        // A device that errs would otherwise be found out by clients.
        let good = Signature::from_slice(&signature)
            .is_ok_and(|signature| self.public.verify_strict(message, &signature).is_ok());
        if !good {
            let problem = "its token made a signature that is not its own".to_owned();
            return Err(SigningError::Key { key: name.clone(), problem });
        }
        Ok(signature)
    }

    fn secret(&self) -> Option<&SigningKey> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_found_in_each_wrapping() {
        #[track_caller]
        fn check(before: &[u8], length: usize, expected: Option<[u8; 32]>) {
            let bytes = [before, &vec![7; length]].concat();
            assert_eq!(ed25519_point(&bytes), expected);
        }
        check(&[], 32, Some([7; 32]));
        check(&[4, 32], 32, Some([7; 32]));
        check(&[3, 33, 0], 32, Some([7; 32]));
        check(&[], 0, None);
        check(&[], 33, None);
        check(&[], 34, None);
        check(&[4, 65], 65, None);
    }

    #[test]
    fn a_module_must_be_named_and_be_one() {
        #[track_caller]
        fn check(uri: &str, variable: Option<&str>, expected: &str) {
            let (name, uri) = ("alpha".parse().unwrap(), uri.parse().unwrap());
            let environment = |asked: &str| {
                assert_eq!(asked, MODULE_VARIABLE);
                variable.map(str::to_owned)
            };
            let source = TokenSource { name: &name, uri: &uri, environment: &environment };
            assert!(!source.has());
            let error = source.open(&mut |_| None).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        check("pkcs11:token=a;object=b", None, "neither `?module-path=` nor");
        check("pkcs11:token=a;object=b", Some("/nowhere.so"), "`/nowhere.so`: ");
        check("pkcs11:token=a;object=b?module-path=/none.so", Some("/nowhere.so"), "`/none.so`: ");
    }
}
