//! `key`: making, replacing and listing the keys that sign releases, and the repository that stands on them.

use std::collections::BTreeMap;

use anyhow::Context as _;
use slipway_signing::{BootRole, KeyMark, KeyName, PublicKey, SigningError};

use super::{
    desk::{Desk, tell},
    programs::ProgramSigner,
};
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
            rotate(&mut Desk::open(context, releases)?, names, mark(*development)).await
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
    for (role, here) in desk.programs.iter().flat_map(ProgramSigner::list) {
        let here = if here { "here" } else { "elsewhere" };
        print(format_args!("Secure Boot {role}: {} ({here})", role.key_name()));
    }
}

fn known(public: &BTreeMap<KeyName, PublicKey>, name: &KeyName) -> Result<PublicKey, SigningError> {
    public.get(name).copied().ok_or_else(|| SigningError::Key {
        key: name.clone(),
        problem: "`[keys]` of roles.toml does not have it".to_owned(),
    })
}

/// Replaces keys. The repository is told of all but those of Secure Boot, which it does not know.
async fn rotate(desk: &mut Desk, names: &[KeyName], mark: KeyMark) -> anyhow::Result<()> {
    let (boot, names): (Vec<KeyName>, Vec<KeyName>) =
        names.iter().cloned().partition(|name| BootRole::of_key(name).is_some());
    if !boot.is_empty() {
        let programs = desk.programs.as_ref();
        let programs = programs.context("signing/roles.toml has no `[secure-boot]`")?;
        programs.replace(&boot, mark, desk.now)?;
        if names.is_empty() {
            return Ok(());
        }
    }
    let state = desk.state().await?;
    for aside in desk.holders.replace(&names, mark)? {
        say(format_args!("the old key is `{aside}`"));
    }
    let public = desk.holders.public_keys()?;
    let now = desk.now;
    let lookup = |name: &KeyName| known(&public, name);
    tell(&desk.repository.rotate(state, &lookup, &mut desk.holders, now).await?);
    Ok(())
}

/// Makes the keys that are not there, and a repository with empty channels.
pub(super) async fn init(desk: &mut Desk, mark: KeyMark) -> anyhow::Result<()> {
    let made = desk.holders.create_missing(mark)?;
    say(format_args!("{made} keys made in {}", desk.holders.dir()));
    if let Some(programs) = &desk.programs {
        let made = programs.create_missing(mark, desk.now)?;
        say(format_args!("{made} keys of Secure Boot made"));
    }
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
