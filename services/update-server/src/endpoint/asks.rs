//! From a request to what is asked of the engine.

use jiff::Timestamp;
use slipway_omaha::{App, AppStatus, CheckStatus, InstallSource, Request};

use super::{Manifests, Part};
use crate::{
    checks::{Ask, Happened, Wants},
    policy::{self, Counters, Graph, GroupState, Machine, Policy, Trigger},
    store::{Arch, Catalog, CatalogGroup},
};

/// More than any client of ours sends; a text beyond it is cut.
const LONGEST: usize = 256;

pub(super) fn parts(request: &Request, catalog: &Catalog, ip: &str, now: Timestamp) -> Vec<Part> {
    request.apps.iter().map(|app| part(request, app, catalog, ip, now)).collect()
}

fn part(request: &Request, app: &App, catalog: &Catalog, ip: &str, now: Timestamp) -> Part {
    let internal = || CheckStatus::from_word("error-internal");
    let Some(known) = catalog.app(app.id.bare()) else {
        return Part::Refused(AppStatus::UnknownApplication, internal());
    };
    let arch = arch(request, app);
    let Some(group) = known.group(&app.track, arch) else {
        return Part::Refused(AppStatus::from_word("error-unknownApplicationOrGroup"), internal());
    };
    let Ok(machine) = app.machine_id.parse() else {
        return Part::Refused(AppStatus::from_word("error-instanceRegistrationFailed"), internal());
    };
    let wants = match (&app.update_check, &app.ping) {
        (Some(_), _) => Wants::Update,
        (None, Some(_)) => Wants::Ping,
        (None, None) => Wants::Nothing,
    };
    let person = request.install_source == InstallSource::OnDemand;
    let ask = Ask {
        app: known.app.id.clone(),
        group: group.group.id.clone(),
        machine,
        track: cut(&app.track),
        version: cut(&app.version),
        arch,
        oem: cut(&app.oem),
        oem_version: cut(&app.oem_version),
        aleph_version: cut(&app.aleph_version),
        alias: cut(&app.machine_alias),
        ip: ip.to_owned(),
        boot_id: cut(&app.boot_id),
        install_source: cut(request.install_source.as_word()),
        trigger: if person { Trigger::Person } else { Trigger::Timer },
        events: app.events.iter().map(happened).collect(),
        wants,
    };
    if wants == Wants::Update && (request.is_syncer() || app.multi_manifest_ok) {
        let manifests = if app.multi_manifest_ok { Manifests::Many } else { Manifests::One };
        let decision = for_syncer(&ask, group, now);
        return Part::Syncer(Box::new(ask), decision, manifests);
    }
    Part::Asked(Box::new(ask))
}

/// Another server gets what a machine would get that nothing holds up: only what is blacklisted or switched off is not copied.
fn for_syncer(ask: &Ask, group: &CatalogGroup, now: Timestamp) -> policy::Decision {
    let none = Graph::default();
    let graph = group.channel.as_ref().map_or(&none, |channel| &channel.graph);
    let of_group = &group.group.policy;
    let policy = Policy {
        updates_enabled: of_group.updates_enabled,
        pin: of_group.pin.clone(),
        ..Policy::default()
    };
    let state = GroupState {
        policy: &policy,
        stopped: group.group.stopped_reason.as_deref(),
        channel_changed: group.changed_at(),
    };
    let machine = Machine {
        id: ask.machine.as_str(),
        version: &ask.version,
        oem: &ask.oem,
        pin: None,
        trigger: ask.trigger,
        lease: None,
        rolled_back: None,
    };
    policy::decide(&machine, state, graph, &Counters::default(), now)
}

fn arch(request: &Request, app: &App) -> Arch {
    match request.arch(app).as_str() {
        "arm64" | "aarch64" => Arch::Arm64,
        "x86" => Arch::X86,
        _ => Arch::Amd64,
    }
}

fn happened(event: &slipway_omaha::Event) -> Happened {
    Happened {
        kind: event.kind.number(),
        result: event.result.number(),
        error_code: event.error_code.map(slipway_omaha::ErrorCode::code),
        previous_version: event.previous_version.as_deref().map(cut),
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|char| *char != '\0').take(LONGEST).collect()
}
