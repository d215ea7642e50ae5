//! `key`: making, replacing and listing the keys that sign releases, and the repository that stands on them.

use std::collections::BTreeMap;

use slipway_signing::{KeyMark, KeyName, PublicKey, SigningError};

use super::desk::{Desk, tell};
use crate::{
    cli::KeyVerb,
    context::Context,
    report::{print, say},
};

fn mark(development: bool) -> KeyMark {
    if development { KeyMark::Development } else { KeyMark::Release }
}

/// `key`.
pub(crate) async fn key(context: &Context, verb: &KeyVerb) -> anyhow::Result<()> {
    match verb {
        KeyVerb::Init { releases, development } => {
            init(&mut Desk::open(context, releases)?, mark(*development)).await
        }
        KeyVerb::Rotate { releases, names, development } => {
            let mut desk = Desk::open(context, releases)?;
            let state = desk.state().await?;
            for aside in desk.holders.replace(names, mark(*development))? {
                say(format_args!("the old key is `{aside}`"));
            }
            let public = desk.holders.public_keys()?;
            let now = desk.now;
            let lookup = |name: &KeyName| known(&public, name);
            tell(&desk.repository.rotate(state, &lookup, &mut desk.holders, now).await?);
            Ok(())
        }
        KeyVerb::Attest { releases, name } => {
            let desk = Desk::open(context, releases)?;
            print(desk.holders.attester(name)?);
            Ok(())
        }
        KeyVerb::List { releases } => {
            list(&Desk::open(context, releases)?);
            Ok(())
        }
    }
}

fn list(desk: &Desk) {
    for (role, keys) in &desk.holders.roles().roles {
        let each: Vec<String> = keys
            .keys
            .iter()
            .map(|key| {
                let here = if desk.holders.has(key) { "here" } else { "elsewhere" };
                format!("{key} ({here})")
            })
            .collect();
        let (threshold, count) = (keys.threshold, keys.keys.len());
        print(format_args!("{role}: {threshold} of {count}: {}", each.join(", ")));
    }
}

fn known(public: &BTreeMap<KeyName, PublicKey>, name: &KeyName) -> Result<PublicKey, SigningError> {
    public.get(name).copied().ok_or_else(|| SigningError::Key {
        key: name.clone(),
        problem: "`[keys]` of roles.toml does not have it".to_owned(),
    })
}

/// Makes the keys that are not there, and a repository with empty channels.
pub(super) async fn init(desk: &mut Desk, mark: KeyMark) -> anyhow::Result<()> {
    let made = desk.holders.create_missing(mark)?;
    say(format_args!("{made} keys made in {}", desk.holders.dir()));
    let public = desk.holders.public_keys()?;
    let now = desk.now;
    desk.holders.for_empty_channels = true;
    let lookup = |name: &KeyName| known(&public, name);
    let root = desk.repository.init(&lookup, &mut desk.holders, now).await;
    desk.holders.for_empty_channels = false;
    fs_err::write(&desk.root, root?.bytes())?;
    say(format_args!("the repository is {}", desk.address));
    print(&desk.root);
    Ok(())
}
