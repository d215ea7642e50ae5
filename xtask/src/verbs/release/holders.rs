//! The keys of this machine, and the questions for their passphrases.

use std::{collections::BTreeMap, io::IsTerminal as _};

use camino::{Utf8Path, Utf8PathBuf};
use slipway_channels::Signers;
use slipway_signing::{
    KeyMark, KeyName, KeySource, Keyring, PublicKey, RoleName, Roles, SecretKey, SigningError,
    Zeroizing,
};

use crate::{environment, report::say};

pub(super) struct Holders {
    roles: Roles,
    dir: Utf8PathBuf,
    /// Set while a repository is made: its channels are empty, so a key for development may sign even stable.
    pub(super) for_empty_channels: bool,
}

impl Holders {
    pub(super) fn new(roles: Roles, dir: Utf8PathBuf) -> Self {
        Self { roles, dir, for_empty_channels: false }
    }

    pub(super) fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    pub(super) fn roles(&self) -> &Roles {
        &self.roles
    }

    fn ring(&self) -> Keyring<'_> {
        Keyring { roles: &self.roles, dir: self.dir.clone(), environment: &environment::key }
    }

    pub(super) fn has(&self, name: &KeyName) -> bool {
        self.ring().has(name)
    }

    /// Makes the keys that are not there, and says how many.
    pub(super) fn create_missing(&self, mark: KeyMark) -> anyhow::Result<usize> {
        let ring = self.ring();
        let missing: Vec<&KeyName> =
            self.roles.keys.keys().filter(|key| !ring.has(key) && !ring.has_public(key)).collect();
        let on_file = missing.iter().any(|name| !ring.is_on_token(name));
        let secret = if on_file { new_passphrase(mark)? } else { None };
        for name in &missing {
            create(&ring, name, mark, secret.as_ref())?;
        }
        Ok(missing.len())
    }

    /// Puts keys aside and makes new ones; says where the old ones are.
    pub(super) fn replace(&self, names: &[KeyName], mark: KeyMark) -> anyhow::Result<Vec<String>> {
        let ring = self.ring();
        // Whatever can fail by what the user gives fails before a key is put aside.
        let on_file = names.iter().any(|name| !ring.is_on_token(name));
        let secret = if on_file { new_passphrase(mark)? } else { None };
        let mut aside = Vec::new();
        for name in names {
            aside.push(ring.retire(name, &mut passphrase)?);
            create(&ring, name, mark, secret.as_ref())?;
        }
        Ok(aside)
    }

    /// The public half of the key of somebody who rebuilds releases, made if it is not there; 64 hexadecimal digits for the file
    /// of a channel.
    pub(super) fn attester(&self, name: &KeyName) -> anyhow::Result<String> {
        let roles = self.attester_roles(name)?;
        let ring = Keyring { roles: &roles, ..self.ring() };
        let key = if ring.has(name) || ring.has_public(name) {
            ring.public(name, &mut passphrase)?
        } else {
            let text = new_passphrase(KeyMark::Release)?;
            let text = text.as_ref().map(|text| text.as_str());
            ring.create(name, KeyMark::Release, text)?.public()
        };
        Ok(slipway_signing::public_to_hex(&key))
    }

    /// The key of somebody who rebuilds releases.
    pub(super) fn open_attester(&self, name: &KeyName) -> anyhow::Result<SecretKey> {
        let roles = self.attester_roles(name)?;
        Ok(Keyring { roles: &roles, ..self.ring() }.open(name, &mut passphrase)?)
    }

    /// Where such a key is: a file beside the others. It has no role, so that nobody can sign metadata with it.
    fn attester_roles(&self, name: &KeyName) -> anyhow::Result<Roles> {
        let known = self.roles.keys.contains_key(name);
        anyhow::ensure!(!known, "`{name}` signs releases; rebuilds are attested by other keys");
        let source = KeySource::File(format!("{name}.pem"));
        Ok(Roles {
            keys: [(name.clone(), source)].into(),
            roles: BTreeMap::new(),
            secure_boot: None,
        })
    }

    /// The public halves of all keys.
    pub(super) fn public_keys(&self) -> anyhow::Result<BTreeMap<KeyName, PublicKey>> {
        let ring = self.ring();
        let names = self.roles.keys.keys();
        names.map(|name| Ok((name.clone(), ring.public(name, &mut passphrase)?))).collect()
    }
}

impl Signers for Holders {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn keys(&mut self, role: &RoleName) -> Result<Vec<SecretKey>, SigningError> {
        let ring = self.ring();
        let names = self.roles.role(role)?.keys.iter().filter(|name| ring.has(name));
        names
            .map(|name| {
                if self.for_empty_channels {
                    ring.open(name, &mut passphrase)
                } else {
                    ring.signer(name, role, &mut passphrase)
                }
            })
            .collect()
    }
}

/// Makes a key: in a file with this passphrase, or on a token, whose PIN is asked for.
fn create(
    ring: &Keyring<'_>,
    name: &KeyName,
    mark: KeyMark,
    secret: Option<&Zeroizing<String>>,
) -> anyhow::Result<()> {
    let pin = if ring.is_on_token(name) { passphrase(name) } else { None };
    ring.create(name, mark, pin.as_ref().or(secret).map(|text| text.as_str()))?;
    Ok(())
}

/// The passphrase of keys that are about to be made; those for development have none.
pub(super) fn new_passphrase(mark: KeyMark) -> anyhow::Result<Option<Zeroizing<String>>> {
    if mark == KeyMark::Development {
        return Ok(None);
    }
    let asked = ask("passphrase for the new keys").filter(|passphrase| !passphrase.is_empty());
    anyhow::ensure!(
        asked.is_some(),
        "keys for releases need a passphrase: set `SLIPWAY_PASSPHRASE`, or run this on a terminal; `--development` makes keys without one"
    );
    Ok(asked)
}

/// The passphrase of a key file, or the PIN of its token.
pub(super) fn passphrase(key: &KeyName) -> Option<Zeroizing<String>> {
    ask(&format!("passphrase or PIN of the key `{key}`"))
}

/// The variable, else a line of the terminal that is not shown.
fn ask(what: &str) -> Option<Zeroizing<String>> {
    if let Some(text) = environment::get("SLIPWAY_PASSPHRASE") {
        return Some(Zeroizing::new(text));
    }
    let input = std::io::stdin();
    if !input.is_terminal() {
        return None;
    }
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let before = tcgetattr(&input).ok()?;
    let mut quiet = before.clone();
    quiet.local_modes -= LocalModes::ECHO;
    tcsetattr(&input, OptionalActions::Now, &quiet).ok()?;
    say(format_args!("{what}:"));
    let mut line = Zeroizing::new(String::new());
    let read = input.read_line(&mut line);
    tcsetattr(&input, OptionalActions::Now, &before).ok()?;
    read.ok()?;
    Some(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}
