//! From what was decided to what is answered.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use slipway_omaha::{Action, App, AppResponse, AppStatus, CheckResponse, CheckStatus, Manifest};

use super::Manifests;
use crate::{
    checks::{Ask, Outcome},
    policy::{Answer, Decision},
    store::{Catalog, CatalogChannel, CatalogGroup, Package},
};

pub(super) fn refused(sent: &App, status: AppStatus, check: CheckStatus) -> AppResponse {
    let mut answer = taken(sent);
    answer.status = status;
    answer.update_check = sent.update_check.is_some().then(|| CheckResponse::with_status(check));
    answer
}

pub(super) fn asked(
    sent: &App,
    ask: &Ask,
    outcome: Option<Outcome>,
    catalog: &Catalog,
    base: &str,
) -> AppResponse {
    let mut answer = taken(sent);
    if sent.update_check.is_none() {
        return answer;
    }
    let group = group(catalog, ask);
    let package = outcome.and_then(|outcome| outcome.package);
    let mut check = match (&package, group) {
        (Some(package), Some(group)) => one(package, group.channel.as_deref(), base),
        _ => CheckResponse::no_update(),
    };
    check.poll_interval = group.and_then(|group| group.group.policy.poll_seconds).map(u64::from);
    answer.update_check = Some(check);
    answer
}

pub(super) fn syncer(
    sent: &App,
    ask: &Ask,
    decision: &Decision,
    manifests: Manifests,
    catalog: &Catalog,
    base: &str,
) -> AppResponse {
    let mut answer = taken(sent);
    let check = (|| {
        let (Answer::Grant(next) | Answer::Again(next)) = &decision.answer else { return None };
        let channel = group(catalog, ask)?.channel.as_deref();
        let app = catalog.apps.get(&ask.app)?;
        let next = app.package(next, ask.arch)?;
        let target = channel.and_then(|channel| channel.target.as_ref()).unwrap_or(next);
        match manifests {
            // A reader of one manifest would skip the floors: it gets nothing until it can read them.
            Manifests::One if next.version != target.version => None,
            Manifests::One => Some(one(next, channel, base)),
            Manifests::Many => Some(many(ask, target, channel, base)),
        }
    })();
    answer.update_check = Some(check.unwrap_or_else(CheckResponse::no_update));
    answer
}

fn group<'a>(catalog: &'a Catalog, ask: &Ask) -> Option<&'a CatalogGroup> {
    catalog.apps.get(&ask.app)?.groups.get(&ask.group).map(AsRef::as_ref)
}

/// That ping and events were taken.
fn taken(sent: &App) -> AppResponse {
    let mut answer = AppResponse::new(sent.id.clone());
    answer.ping = sent.ping.is_some();
    answer.events = sent.events.len();
    answer
}

fn one(package: &Package, channel: Option<&CatalogChannel>, base: &str) -> CheckResponse {
    let mut check = CheckResponse::with_status(CheckStatus::Ok);
    check.codebases = vec![codebase(package, base)];
    check.manifests = vec![manifest(package, channel)];
    check
}

fn many(
    ask: &Ask,
    target: &Package,
    channel: Option<&CatalogChannel>,
    base: &str,
) -> CheckResponse {
    let mut check = one(target, channel, base);
    for manifest in &mut check.manifests {
        manifest.is_target = true;
    }
    let parse = |text: &str| semver::Version::parse(text).ok();
    let (from, to) = (parse(&ask.version), parse(&target.version));
    let floors = channel.map(|channel| channel.floors.as_slice()).unwrap_or_default();
    let ahead = floors.iter().filter(|(package, _)| {
        let version = parse(&package.version);
        version > from && version < to
    });
    let floors = ahead.map(|(package, reason)| {
        let mut manifest = manifest(package, channel);
        manifest.floor = Some(reason.clone());
        manifest
    });
    let mut manifests: Vec<Manifest> = floors.collect();
    manifests.append(&mut check.manifests);
    check.manifests = manifests;
    check
}

fn manifest(package: &Package, channel: Option<&CatalogChannel>) -> Manifest {
    let first = slipway_omaha::Package {
        name: file(package, channel),
        sha1_base64: package.sha1.clone(),
        sha256_hex: package.sha256.clone(),
        size: package.size,
        required: package.required,
    };
    let more = package.files.iter().map(|file| slipway_omaha::Package {
        name: file.name.clone(),
        sha1_base64: file.sha1.clone(),
        sha256_hex: file.sha256.clone(),
        size: file.size,
        required: file.required,
    });
    let mut action = Action::postinstall(base64_of_hex(&package.sha256));
    action.disable_payload_backoff = package.no_backoff;
    action.is_delta = package.is_delta;
    action.metadata_signature.clone_from(&package.metadata_signature);
    action.metadata_size = package.metadata_size.parse().ok();
    Manifest {
        version: package.version.clone(),
        floor: None,
        is_target: false,
        packages: [first].into_iter().chain(more).collect(),
        actions: vec![action],
    }
}

/// The records of signed releases are per channel: their names say so.
fn file(package: &Package, channel: Option<&CatalogChannel>) -> String {
    let label = channel.map(|channel| channel.channel.label.as_str()).unwrap_or_default();
    package.file.replace("{channel}", label)
}

/// Where the package's files are. What is relative is on this server.
fn codebase(package: &Package, base: &str) -> String {
    let slash = if package.url.is_empty() || package.url.ends_with('/') { "" } else { "/" };
    match package.url.contains("://") {
        true => format!("{}{slash}", package.url),
        false => format!("{base}/{}{slash}", package.url.trim_start_matches('/')),
    }
}

/// The same digest in the other encoding: packages have it in hexadecimal, actions in base64.
fn base64_of_hex(hex: &str) -> String {
    let digit = |byte: u8| {
        char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0)
    };
    let bytes: Vec<u8> =
        hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    STANDARD.encode(bytes)
}
