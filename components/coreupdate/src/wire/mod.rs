//! The JSON forms. What is empty is left out, and what is left out is empty.
//!
//! 64-bit numbers travel as strings, as everywhere in Google's APIs of that time; numbers are read as well.

mod admin;
mod app;
mod channel;
mod error;
mod group;
mod instance;
mod number;
mod package;
mod rollout;
mod rollup;
mod upstream;

pub use admin::{AdminListUsersResp, AdminUser, AdminUserReq, GenerateUuidResp};
pub use app::{App, AppListResp};
pub use channel::{AppChannel, ChannelListResp, ChannelRequest};
pub use error::{ErrorBody, ErrorItem, ErrorResponse};
pub use group::{Group, GroupList, GroupPercent};
pub use instance::{
    AppVersionItem, AppVersionList, ClientCountResp, ClientHistoryItem, ClientHistoryResp,
    ClientUpdate, ClientUpdateList,
};
pub use package::{Package, PackageList, PublicPackageItem, PublicPackageList};
pub use rollout::{Frame, MAX_FRAMES, Rollout, RolloutActive, RolloutSetReq, linear};
pub use rollup::{GroupRequestsItem, GroupRequestsRollup, GroupRequestsValues};
pub use upstream::{Upstream, UpstreamListResp, UpstreamSyncResp};

#[cfg(test)]
pub(crate) mod tests {
    //! How a form is checked: read, compared, written, compared.

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    /// Reads `json`, expects `value`, and expects that writing it gives `json` again.
    pub(crate) fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        json: &str,
        value: &T,
    ) {
        check_read(json, value);
        assert_eq!(serde_json::to_string(value).unwrap(), json);
    }

    /// Reads `json` and expects `value`; writing it would be tidier than `json`.
    pub(crate) fn check_read<T: DeserializeOwned + PartialEq + std::fmt::Debug>(
        json: &str,
        value: &T,
    ) {
        assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value, "{json}");
    }

    /// Expects that `json` cannot be read as a `T`.
    pub(crate) fn check_bad<T: DeserializeOwned + std::fmt::Debug>(json: &str) {
        let read = serde_json::from_str::<T>(json);
        assert!(read.is_err(), "{json} was read as {read:?}");
    }
}
