//! Nebraska's JSON forms. Times are RFC 3339; sizes are strings; architectures, kinds and states are numbers.

use serde::{Deserialize, Serialize};

use super::duration;
use crate::{
    policy::{PerPeriod, Policy},
    store::{Activity, Application, Arch, Channel, Event, Group, Instance, Package},
};

/// So many updates in a period that they are not counted.
pub(super) const UNLIMITED: u32 = 900_000;

/// The period that is shown when there is no limit, in seconds.
const NO_PERIOD: u64 = 60;

/// What makes or changes an application.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct AppConfig {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) product_id: Option<String>,
}

/// An application.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AppForm {
    pub(super) id: String,
    pub(super) product_id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) created_ts: String,
    pub(super) groups: Vec<GroupForm>,
    pub(super) channels: Vec<ChannelForm>,
    pub(super) instances: CountForm,
}

impl AppForm {
    pub(super) fn new(
        app: &Application,
        groups: Vec<GroupForm>,
        channels: Vec<ChannelForm>,
        count: u64,
    ) -> Self {
        Self {
            id: app.id.to_string(),
            product_id: app.product_id.clone().unwrap_or_default(),
            name: app.label.clone(),
            description: app.description.clone(),
            created_ts: app.created_at.to_string(),
            groups,
            channels,
            instances: CountForm { count },
        }
    }
}

/// How many.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CountForm {
    pub(super) count: u64,
}

/// What makes or changes a group. Booleans that are absent are `false`, as with Nebraska.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct GroupConfig {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) channel_id: Option<String>,
    #[serde(default)]
    pub(super) policy_updates_enabled: bool,
    #[serde(default)]
    pub(super) policy_safe_mode: bool,
    #[serde(default)]
    pub(super) policy_office_hours: bool,
    #[serde(default)]
    pub(super) policy_timezone: String,
    pub(super) policy_period_interval: String,
    pub(super) policy_max_updates_per_period: u32,
    pub(super) policy_update_timeout: String,
    #[serde(default)]
    pub(super) track: String,
}

/// A group.
#[derive(Debug, Clone, Serialize)]
pub(super) struct GroupForm {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) created_ts: String,
    pub(super) rollout_in_progress: bool,
    pub(super) application_id: String,
    pub(super) channel_id: Option<String>,
    pub(super) policy_updates_enabled: bool,
    pub(super) policy_safe_mode: bool,
    pub(super) policy_office_hours: bool,
    pub(super) policy_timezone: String,
    pub(super) policy_period_interval: String,
    pub(super) policy_max_updates_per_period: u32,
    pub(super) policy_update_timeout: String,
    pub(super) channel: Option<ChannelForm>,
    pub(super) track: String,
}

impl GroupForm {
    pub(super) fn new(group: &Group, channel: Option<ChannelForm>) -> Self {
        let Policy { per_period, windows, .. } = &group.policy;
        let period = per_period.unwrap_or(PerPeriod { count: UNLIMITED, seconds: NO_PERIOD });
        Self {
            id: group.id.to_string(),
            name: group.label.clone(),
            description: group.description.clone(),
            created_ts: group.created_at.to_string(),
            rollout_in_progress: group.rolling_version.is_some(),
            application_id: group.app.to_string(),
            channel_id: group.channel.as_ref().map(ToString::to_string),
            policy_updates_enabled: group.policy.updates_enabled && group.stopped_reason.is_none(),
            policy_safe_mode: group.policy.safe_mode,
            policy_office_hours: !windows.is_empty(),
            policy_timezone: windows
                .first()
                .map(|window| window.zone().to_owned())
                .unwrap_or_default(),
            policy_period_interval: duration::format(period.seconds),
            policy_max_updates_per_period: period.count,
            policy_update_timeout: duration::format(group.policy.lease_seconds),
            channel,
            track: group.track.clone(),
        }
    }
}

/// What makes or changes a channel.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ChannelConfig {
    pub(super) name: String,
    #[serde(default)]
    pub(super) color: String,
    #[serde(default)]
    pub(super) arch: i64,
    #[serde(default)]
    pub(super) package_id: Option<String>,
}

/// A channel.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ChannelForm {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) color: String,
    pub(super) created_ts: String,
    pub(super) application_id: String,
    pub(super) package_id: Option<String>,
    pub(super) package: Option<PackageForm>,
    pub(super) arch: i64,
}

impl ChannelForm {
    pub(super) fn new(channel: &Channel, package: Option<PackageForm>) -> Self {
        Self {
            id: channel.id.to_string(),
            name: channel.label.clone(),
            color: channel.color.clone(),
            created_ts: channel.created_at.to_string(),
            application_id: channel.app.to_string(),
            package_id: channel.package.as_ref().map(ToString::to_string),
            package,
            arch: channel.arch.number(),
        }
    }
}

/// What makes or changes a package.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PackageConfig {
    #[serde(default)]
    pub(super) arch: i64,
    #[serde(default)]
    pub(super) channels_blacklist: Vec<String>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) filename: String,
    #[serde(default)]
    pub(super) hash: String,
    #[serde(default)]
    pub(super) size: String,
    pub(super) url: String,
    pub(super) version: String,
    #[serde(rename = "type")]
    pub(super) kind: i64,
    #[serde(default)]
    pub(super) flatcar_action: Option<ActionConfig>,
    #[serde(default)]
    pub(super) extra_files: Vec<FileForm>,
}

/// What a host does with the payload, as it is set.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ActionConfig {
    /// SHA-256 of the payload, base64.
    #[serde(default)]
    pub(super) sha256: String,
}

/// What a host does with the payload.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ActionForm {
    pub(super) id: String,
    pub(super) event: &'static str,
    pub(super) sha256: String,
    pub(super) is_delta: bool,
    pub(super) disable_payload_backoff: bool,
    pub(super) metadata_signature_rsa: String,
    pub(super) metadata_size: String,
    pub(super) created_ts: String,
}

/// Another file of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileForm {
    #[serde(default)]
    pub(super) id: i64,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) size: String,
    #[serde(default)]
    pub(super) hash: String,
    #[serde(default)]
    pub(super) hash256: String,
}

/// A package.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PackageForm {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: i64,
    pub(super) version: String,
    pub(super) url: String,
    pub(super) filename: String,
    pub(super) description: String,
    pub(super) size: String,
    pub(super) hash: String,
    pub(super) created_ts: String,
    pub(super) channels_blacklist: Vec<String>,
    pub(super) application_id: String,
    pub(super) flatcar_action: Option<ActionForm>,
    pub(super) arch: i64,
    pub(super) extra_files: Vec<FileForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_floor: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) floor_reason: Option<String>,
}

impl PackageForm {
    pub(super) fn new(package: &Package, blacklist: Vec<String>) -> Self {
        let action = (!package.sha256.is_empty()).then(|| ActionForm {
            id: package.id.to_string(),
            event: "postinstall",
            sha256: super::packages::base64_of(&package.sha256),
            is_delta: package.is_delta,
            disable_payload_backoff: package.no_backoff,
            metadata_signature_rsa: package.metadata_signature.clone(),
            metadata_size: package.metadata_size.clone(),
            created_ts: package.created_at.to_string(),
        });
        let file = |(id, file): (i64, &crate::store::PackageFile)| FileForm {
            id,
            name: file.name.clone(),
            size: file.size.to_string(),
            hash: file.sha1.clone(),
            hash256: file.sha256.clone(),
        };
        Self {
            id: package.id.to_string(),
            kind: package.kind.number(),
            version: package.version.clone(),
            url: package.url.clone(),
            filename: package.file.clone(),
            description: package.description.clone(),
            size: package.size.to_string(),
            hash: package.sha1.clone(),
            created_ts: package.created_at.to_string(),
            channels_blacklist: blacklist,
            application_id: package.app.to_string(),
            flatcar_action: action,
            arch: package.arch.number(),
            extra_files: (1..).zip(&package.files).map(file).collect(),
            is_floor: None,
            floor_reason: None,
        }
    }
}

/// An instance.
#[derive(Debug, Clone, Serialize)]
pub(super) struct InstanceForm {
    pub(super) id: String,
    pub(super) ip: String,
    pub(super) created_ts: String,
    pub(super) alias: String,
    pub(super) oem: String,
    pub(super) aleph_version: String,
    pub(super) application: InstanceAppForm,
}

/// What an instance does with its application.
#[derive(Debug, Clone, Serialize)]
pub(super) struct InstanceAppForm {
    pub(super) instance_id: String,
    pub(super) application_id: String,
    pub(super) group_id: String,
    pub(super) version: String,
    pub(super) created_ts: String,
    pub(super) status: i64,
    pub(super) last_check_for_updates: String,
    pub(super) last_update_granted_ts: Option<String>,
    pub(super) last_update_version: Option<String>,
    pub(super) update_in_progress: bool,
}

impl InstanceForm {
    pub(super) fn new(instance: &Instance) -> Self {
        Self {
            id: instance.machine.to_string(),
            ip: instance.ip.clone(),
            created_ts: instance.first_seen.to_string(),
            alias: if instance.given_alias.is_empty() {
                &instance.alias
            } else {
                &instance.given_alias
            }
            .clone(),
            oem: instance.oem.clone(),
            aleph_version: instance.aleph_version.clone(),
            application: InstanceAppForm {
                instance_id: instance.machine.to_string(),
                application_id: instance.app.to_string(),
                group_id: instance.group.to_string(),
                version: instance.version.clone(),
                created_ts: instance.first_seen.to_string(),
                status: instance.status.number(),
                last_check_for_updates: instance.last_seen.to_string(),
                last_update_granted_ts: instance.granted_at.map(|at| at.to_string()),
                last_update_version: instance.update_version.clone(),
                update_in_progress: instance.status.in_progress(),
            },
        }
    }
}

/// What an instance came to do.
#[derive(Debug, Clone, Serialize)]
pub(super) struct HistoryForm {
    pub(super) status: i64,
    pub(super) version: String,
    pub(super) created_ts: String,
    pub(super) error_code: Option<String>,
}

impl HistoryForm {
    pub(super) fn new(event: &Event) -> Self {
        Self {
            status: event.status.number(),
            version: event.update_version.clone().unwrap_or_else(|| event.version.clone()),
            created_ts: event.at.to_string(),
            error_code: event.error_code.map(|code| code.to_string()),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ActivityForm {
    pub(super) id: String,
    pub(super) app_id: String,
    pub(super) group_id: Option<String>,
    pub(super) created_ts: String,
    pub(super) class: i64,
    pub(super) severity: i64,
    pub(super) version: String,
    pub(super) application_name: String,
    pub(super) group_name: Option<String>,
    pub(super) channel_name: Option<String>,
    pub(super) instance_id: Option<String>,
}

impl ActivityForm {
    pub(super) fn new(activity: &Activity, application: String, group: Option<String>) -> Self {
        let what = &activity.what;
        Self {
            id: activity.id.to_string(),
            app_id: what.app.to_string(),
            group_id: what.group.as_ref().map(ToString::to_string),
            created_ts: activity.at.to_string(),
            class: what.class.number(),
            severity: what.severity.number(),
            version: what.version.clone(),
            application_name: application,
            group_name: group,
            channel_name: what.channel.clone(),
            instance_id: what.machine.as_ref().map(ToString::to_string),
        }
    }
}

/// The architecture of a number.
pub(super) fn arch(number: i64) -> Result<Arch, super::Refusal> {
    let problem = || {
        crate::coreupdate::Failure::bad(format!(
            "`arch` is `{number}`; 0 (all), 1 (amd64), 2 (arm64) and 3 (x86) are possible"
        ))
    };
    Ok(Arch::from_number(number).ok_or_else(problem)?)
}
