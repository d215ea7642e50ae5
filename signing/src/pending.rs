//! Metadata on its way to its threshold: holders sign one after the other, each where their key is.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
};

use olpc_cjson::CanonicalFormatter;
use serde::{Serialize, de::DeserializeOwned};
use tough::schema::{
    DelegatedRole, Delegations, Root, Signature, Signed,
    decoded::{Decoded, Hex},
    key::Key,
};

use crate::{
    RoleName, SecretKey, SigningError,
    key::{is_for_development, verifies},
};

/// The keys of a role and how many of them must sign, as some metadata that is trusted says.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleKeys {
    /// The role.
    pub role: RoleName,
    /// Its keys.
    pub keys: BTreeMap<String, Key>,
    /// How many of them must sign.
    pub threshold: NonZeroU64,
}

impl RoleKeys {
    /// What the root says of one of the four top-level roles.
    ///
    /// # Errors
    /// When it says nothing of it.
    pub fn of_root(root: &Root, role: &RoleName) -> Result<Self, SigningError> {
        use tough::schema::RoleType;
        let kind = match role {
            RoleName::Root => RoleType::Root,
            RoleName::Targets => RoleType::Targets,
            RoleName::Snapshot => RoleType::Snapshot,
            RoleName::Timestamp => RoleType::Timestamp,
            RoleName::Channel(_) => {
                return Err(SigningError::metadata(role, "the root knows no channels"));
            }
        };
        let keys = root.roles.get(&kind);
        let keys =
            keys.ok_or_else(|| SigningError::metadata(role, "the root has no keys for it"))?;
        Ok(Self::collect(role, &keys.keyids, &root.keys, keys.threshold))
    }

    /// What the delegations of the targets role say of a channel.
    ///
    /// # Errors
    /// When they do not have it.
    pub fn of_delegation(delegations: &Delegations, role: &RoleName) -> Result<Self, SigningError> {
        let name = role.to_string();
        let found: Option<&DelegatedRole> = delegations.roles.iter().find(|r| r.name == name);
        let found = found
            .ok_or_else(|| SigningError::metadata(role, "the targets do not delegate to it"))?;
        Ok(Self::collect(role, &found.keyids, &delegations.keys, found.threshold))
    }

    fn collect<'a>(
        role: &RoleName,
        ids: &[Decoded<Hex>],
        keys: impl IntoIterator<Item = (&'a Decoded<Hex>, &'a Key)>,
        threshold: NonZeroU64,
    ) -> Self {
        let keys = keys
            .into_iter()
            .filter(|(id, _)| ids.contains(id))
            .map(|(id, key)| (hex(id), key.clone()))
            .collect();
        Self { role: role.clone(), keys, threshold }
    }

    /// Whether one of the keys is marked as one for development.
    pub fn for_development(&self) -> bool {
        self.keys.values().any(is_for_development)
    }

    /// The keys that validly signed.
    fn valid<T: Serialize>(&self, signed: &Signed<T>) -> Result<BTreeSet<String>, SigningError> {
        let message = canonical(&self.role, &signed.signed)?;
        let good = |signature: &&Signature| {
            self.keys
                .get(&hex(&signature.keyid))
                .is_some_and(|key| verifies(key, &message, &signature.sig))
        };
        Ok(signed.signatures.iter().filter(good).map(|s| hex(&s.keyid)).collect())
    }
}

/// Metadata that may lack signatures. It survives as JSON, in the form of TUF.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending<T> {
    role: RoleName,
    signed: Signed<T>,
}

/// Metadata that has reached its threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Complete<T> {
    signed: Signed<T>,
    bytes: Vec<u8>,
}

impl<T: Serialize + DeserializeOwned> Pending<T> {
    /// Metadata that nobody has signed.
    pub fn new(role: RoleName, signed: T) -> Self {
        Self { role, signed: Signed { signed, signatures: Vec::new() } }
    }

    /// Reads what [`Pending::to_json`] wrote, perhaps on another machine. Nothing of it is believed before it is complete.
    ///
    /// # Errors
    /// When it is no metadata of this kind.
    pub fn from_json(role: RoleName, text: &[u8]) -> Result<Self, SigningError> {
        let signed =
            serde_json::from_slice(text).map_err(|error| SigningError::metadata(&role, error))?;
        Ok(Self { role, signed })
    }

    /// The metadata with the signatures that it has.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>, SigningError> {
        json(&self.role, &self.signed)
    }

    /// What is to be signed.
    pub fn content(&self) -> &T {
        &self.signed.signed
    }

    /// Adds the signature of a key; signing twice changes nothing.
    ///
    /// # Errors
    /// When the key is none of the role's, by any of the given sets; or when its token does not sign.
    pub fn sign(&mut self, key: &SecretKey, allowed: &[&RoleKeys]) -> Result<(), SigningError> {
        let id = key.public().id();
        let text = hex(&id);
        if !allowed.iter().any(|keys| keys.keys.contains_key(&text)) {
            return Err(SigningError::NotOfRole { key_id: text, role: self.role.clone() });
        }
        let message = canonical(&self.role, &self.signed.signed)?;
        let sig = key.sign(&message)?.into();
        self.signed.signatures.retain(|signature| signature.keyid != id);
        self.signed.signatures.push(Signature { keyid: id, sig });
        self.signed.signatures.sort_by_key(|signature| hex(&signature.keyid));
        Ok(())
    }

    /// The metadata, if enough keys of each set have signed. A new root needs the old root's keys and its own.
    ///
    /// # Errors
    /// When signatures lack; the error says how many and whose.
    pub fn complete(mut self, needed: &[&RoleKeys]) -> Result<Complete<T>, SigningError> {
        let mut known = BTreeSet::new();
        for keys in needed {
            let valid = keys.valid(&self.signed)?;
            let count = valid.len() as u64;
            if count < keys.threshold.get() {
                let missing: Vec<&str> = keys
                    .keys
                    .keys()
                    .filter(|id| !valid.contains(*id))
                    .map(String::as_str)
                    .collect();
                return Err(SigningError::Threshold {
                    role: self.role,
                    valid: count,
                    threshold: keys.threshold.get(),
                    missing: missing.join(", "),
                });
            }
            known.extend(valid);
        }
        // A signature that says nothing to anybody is not published.
        self.signed.signatures.retain(|signature| known.contains(&hex(&signature.keyid)));
        let bytes = json(&self.role, &self.signed)?;
        Ok(Complete { signed: self.signed, bytes })
    }
}

impl<T: Serialize + DeserializeOwned> Complete<T> {
    /// Reads a published file, and keeps its bytes as they are: other metadata knows their digest.
    ///
    /// # Errors
    /// When it is no metadata of this kind, or signatures lack.
    pub fn read(role: &RoleName, bytes: &[u8], needed: &[&RoleKeys]) -> Result<Self, SigningError> {
        let complete = Pending::from_json(role.clone(), bytes)?.complete(needed)?;
        Ok(Self { bytes: bytes.to_vec(), ..complete })
    }
}

impl<T> Complete<T> {
    /// The content.
    pub fn content(&self) -> &T {
        &self.signed.signed
    }

    /// The content and its signatures.
    pub fn signed(&self) -> &Signed<T> {
        &self.signed
    }

    /// The file, as it is published.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn json<T: Serialize>(role: &RoleName, signed: &Signed<T>) -> Result<Vec<u8>, SigningError> {
    let mut bytes =
        serde_json::to_vec_pretty(signed).map_err(|error| SigningError::metadata(role, error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What is signed: the canonical JSON form (TUF 1.0, section 4.2).
fn canonical<T: Serialize>(role: &RoleName, content: &T) -> Result<Vec<u8>, SigningError> {
    let mut bytes = Vec::new();
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut bytes, CanonicalFormatter::new());
    content.serialize(&mut serializer).map_err(|error| SigningError::metadata(role, error))?;
    Ok(bytes)
}

/// Bytes as TUF metadata writes them: hexadecimal, lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
