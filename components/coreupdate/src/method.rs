//! The 41 calls of the API: one table that server, client and discovery document share.

use std::fmt;

/// Where the API is mounted.
pub const BASE_PATH: &str = "/_ah/api/update/v1/";

/// The verb of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads.
    Get,
    /// Makes or acts.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Takes away.
    Delete,
}

impl Verb {
    /// As in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a caller must be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing: anybody may.
    Public,
    /// Look.
    Read,
    /// Change an application or what belongs to it.
    Write,
    /// Change users, applications as such, and upstreams.
    Admin,
}

/// A parameter of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type in a discovery document.
    pub kind: &'static str,
    /// Its format in a discovery document; may be empty.
    pub format: &'static str,
    /// Whether it must be there.
    pub required: Required,
}

/// Whether a parameter must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// It must.
    Yes,
    /// It may.
    No,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Its name, such as `update.group.rollout.set`.
    pub id: &'static str,
    /// Other names of the same call in published discovery documents.
    pub aliases: &'static [&'static str],
    /// Its verb.
    pub verb: Verb,
    /// Its path below [`BASE_PATH`], with `{names}` to fill in.
    pub path: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What its query may say.
    pub query: &'static [Parameter],
    /// The schema of its body.
    pub request: Option<&'static str>,
    /// The schema of its answer.
    pub response: &'static str,
    /// Who may call it.
    pub access: Access,
}

impl Method {
    /// The names in the path, in order.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
    }

    /// The path from the server's root, with the names filled in from `values` in order, and escaped.
    ///
    /// Values that are missing stay as `{names}`, which no server knows.
    pub fn expand(&self, values: &[&str]) -> String {
        let mut path = format!("{BASE_PATH}{}", self.path);
        for (name, value) in self.path_parameters().zip(values) {
            path = path.replacen(&format!("{{{name}}}"), &escape(value), 1);
        }
        path
    }
}

/// Percent-encodes all but the unreserved characters (RFC 3986, section 2.3).
fn escape(text: &str) -> String {
    use fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _infallible = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

/// The call of this name.
pub fn find(id: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.id == id || method.aliases.contains(&id))
}

const fn string(name: &'static str) -> Parameter {
    Parameter { name, kind: "string", format: "", required: Required::No }
}

const fn int64(name: &'static str) -> Parameter {
    Parameter { name, kind: "string", format: "int64", required: Required::No }
}

const fn int32(name: &'static str) -> Parameter {
    Parameter { name, kind: "integer", format: "int32", required: Required::No }
}

const FILTER: &[Parameter] = &[
    string("appId"),
    int64("dateEnd"),
    int64("dateStart"),
    string("eventResult"),
    string("eventType"),
    string("groupId"),
    string("oem"),
    string("version"),
];

const FILTER_AND_PAGE: &[Parameter] = &[
    string("appId"),
    string("clientId"),
    int64("dateEnd"),
    int64("dateStart"),
    string("eventResult"),
    string("eventType"),
    string("groupId"),
    int32("limit"),
    string("oem"),
    int32("skip"),
    string("version"),
];

const CLIENT: &[Parameter] = &[Parameter { required: Required::Yes, ..string("clientId") }];
const PACKAGE_PAGE: &[Parameter] = &[int32("limit"), int32("skip"), string("version")];
const ROLLUP: &[Parameter] = &[int64("resolution"), string("versions")];

const fn call(
    id: &'static str,
    verb: Verb,
    path: &'static str,
    access: Access,
    response: &'static str,
    about: &'static str,
) -> Method {
    Method { id, aliases: &[], verb, path, about, query: &[], request: None, response, access }
}

impl Method {
    const fn body(self, schema: &'static str) -> Self {
        Self { request: Some(schema), ..self }
    }

    const fn query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
}

const USER: &str = "admin/user";
const USER_NAMED: &str = "admin/user/{userName}";
const PACKAGE: &str = "apps/{appId}/packages/{version}";
const CHANNELS: &str = "apps/{appId}/channels";
const CHANNEL: &str = "apps/{appId}/channels/{label}";
const GROUPS: &str = "apps/{appId}/groups";
const GROUP: &str = "apps/{appId}/groups/{id}";
const EVENTS: &str = "apps/{appId}/groups/{groupId}/requests/events/{dateStart}/{dateEnd}";
const VERSIONS: &str = "apps/{appId}/groups/{groupId}/requests/versions/{dateStart}/{dateEnd}";
const ROLLOUT: &str = "apps/{appId}/groups/{groupId}/rollout";
const ACTIVE: &str = "apps/{appId}/groups/{groupId}/rollout/active";

use Access::{Admin, Public, Read, Write};
use Verb::{Delete, Get, Patch, Post, Put};

/// All calls.
pub const METHODS: &[Method] = &[
    call("update.admin.listUsers", Get, USER, Admin, "AdminListUsersResp", "Lists the users."),
    call("update.admin.createUser", Post, USER, Admin, "AdminUser", "Makes a user with a key.")
        .body("AdminUserReq"),
    call("update.admin.getUser", Get, USER_NAMED, Admin, "AdminUser", "Shows a user."),
    call("update.admin.deleteUser", Delete, USER_NAMED, Admin, "AdminUser", "Deletes a user."),
    call(
        "update.admin.genToken",
        Put,
        "admin/user/{userName}/token/new",
        Admin,
        "AdminUser",
        "Gives a user a new key.",
    )
    .body("AdminUserReq"),
    call("update.app.list", Get, "apps", Read, "AppListResp", "Lists the applications."),
    call("update.app.insert", Post, "apps", Admin, "App", "Makes an application.")
        .body("AppInsertReq"),
    call("update.app.get", Get, "apps/{id}", Read, "App", "Shows an application."),
    call("update.app.update", Patch, "apps/{id}", Write, "App", "Changes an application.")
        .body("AppUpdateReq")
        .also(&["update.app.patch"]),
    call("update.app.delete", Delete, "apps/{id}", Admin, "App", "Deletes an application."),
    call(
        "update.app.package.list",
        Get,
        "apps/{appId}/packages",
        Read,
        "PackageList",
        "Lists packages.",
    )
    .query(PACKAGE_PAGE),
    call("update.app.package.insert", Post, PACKAGE, Write, "Package", "Makes a package.")
        .body("Package"),
    call("update.app.package.delete", Delete, PACKAGE, Write, "Package", "Deletes a package."),
    call(
        "update.app.package.publicList",
        Get,
        "public/packages",
        Public,
        "PublicPackageList",
        "Lists public packages.",
    ),
    call(
        "update.channel.publicList",
        Get,
        "public/channels",
        Public,
        "ChannelListResp",
        "Lists public channels.",
    ),
    call("update.channel.list", Get, CHANNELS, Read, "ChannelListResp", "Lists channels."),
    call("update.channel.insert", Post, CHANNELS, Write, "AppChannel", "Makes a channel.")
        .body("ChannelRequest"),
    call("update.channel.update", Patch, CHANNEL, Write, "AppChannel", "Changes a channel.")
        .body("ChannelRequest"),
    call("update.channel.delete", Delete, CHANNEL, Write, "ChannelRequest", "Deletes a channel."),
    call("update.group.list", Get, GROUPS, Read, "GroupList", "Lists groups.")
        .query(&[int32("limit")]),
    call("update.group.insert", Post, GROUPS, Write, "Group", "Makes a group.").body("Group"),
    call("update.group.get", Get, GROUP, Read, "Group", "Shows a group.")
        .also(&["update.group.percent.get"]),
    call("update.group.update", Patch, GROUP, Write, "Group", "Changes a group.")
        .body("Group")
        .also(&["update.group.patch"]),
    call("update.group.delete", Delete, GROUP, Write, "Group", "Deletes a group."),
    call(
        "update.group.percent.set",
        Post,
        GROUP,
        Write,
        "GroupPercent",
        "Sets the percentage of a group.",
    )
    .body("GroupPercent"),
    call(
        "update.group.requests.events.rollup",
        Get,
        EVENTS,
        Read,
        "GroupRequestsRollup",
        "Counts events over time.",
    )
    .query(ROLLUP),
    call(
        "update.group.requests.versions.rollup",
        Get,
        VERSIONS,
        Read,
        "GroupRequestsRollup",
        "Counts versions over time.",
    )
    .query(ROLLUP),
    call("update.group.rollout.get", Get, ROLLOUT, Read, "Rollout", "Shows the frames of a group."),
    call(
        "update.group.rollout.set",
        Post,
        ROLLOUT,
        Write,
        "Rollout",
        "Sets the frames of a group.",
    )
    .body("RolloutSetReq"),
    call(
        "update.group.rollout.active.get",
        Get,
        ACTIVE,
        Read,
        "RolloutActive",
        "Shows whether frames are followed.",
    ),
    call(
        "update.group.rollout.active.set",
        Post,
        ACTIVE,
        Write,
        "RolloutActive",
        "Says whether frames are followed.",
    )
    .body("RolloutActive"),
    call(
        "update.appversion.list",
        Get,
        "appversions",
        Read,
        "AppVersionList",
        "Counts instances by version.",
    )
    .query(FILTER),
    call(
        "update.clientupdate.list",
        Get,
        "clientupdates",
        Read,
        "ClientUpdateList",
        "Lists instances.",
    )
    .query(FILTER_AND_PAGE),
    call(
        "update.clientupdate.count",
        Get,
        "clientupdatecount",
        Read,
        "ClientCountResp",
        "Counts instances.",
    )
    .query(FILTER),
    call(
        "update.client.history",
        Get,
        "client/history",
        Read,
        "ClientHistoryResp",
        "Lists what an instance reported.",
    )
    .query(CLIENT),
    call("update.upstream.list", Get, "upstream", Read, "UpstreamListResp", "Lists upstreams."),
    call("update.upstream.insert", Post, "upstream", Admin, "Upstream", "Makes an upstream.")
        .body("Upstream"),
    call(
        "update.upstream.sync",
        Post,
        "upstream/sync",
        Admin,
        "UpstreamSyncResp",
        "Synchronises all upstreams.",
    ),
    call("update.upstream.update", Put, "upstream/{id}", Admin, "Upstream", "Changes an upstream.")
        .body("Upstream"),
    call(
        "update.upstream.delete",
        Delete,
        "upstream/{id}",
        Admin,
        "Upstream",
        "Deletes an upstream.",
    ),
    call("update.util.uuid", Get, "util/uuid", Read, "GenerateUuidResp", "Makes a UUID."),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn there_are_41_different_calls() {
        assert_eq!(METHODS.len(), 41);
        let routes: HashSet<_> = METHODS.iter().map(|method| (method.verb, method.path)).collect();
        assert_eq!(routes.len(), 41);
        let names: HashSet<_> = METHODS
            .iter()
            .flat_map(|method| [method.id].into_iter().chain(method.aliases.iter().copied()))
            .collect();
        assert_eq!(names.len(), 44);
    }

    #[test]
    fn only_calls_that_read_are_public_or_for_viewers() {
        for method in METHODS {
            assert_eq!(
                method.verb != Get,
                method.access >= Write && method.verb != Get,
                "{}",
                method.id
            );
            assert!(method.access != Public || method.path.starts_with("public/"), "{}", method.id);
            assert!(method.access == Admin || !method.path.starts_with("admin/"), "{}", method.id);
        }
    }

    fn check(id: &str, values: &[&str], expected: &str) {
        assert_eq!(find(id).map(|method| method.expand(values)).as_deref(), Some(expected));
    }

    #[test]
    fn paths_are_filled_in_and_escaped() {
        check("update.app.list", &[], "/_ah/api/update/v1/apps");
        check(
            "update.group.patch",
            &["e9", "a/b c"],
            "/_ah/api/update/v1/apps/e9/groups/a%2Fb%20c",
        );
        check("update.app.get", &["{e9}"], "/_ah/api/update/v1/apps/%7Be9%7D");
        check("update.app.get", &[], "/_ah/api/update/v1/apps/{id}");
        check(
            "update.group.requests.events.rollup",
            &["e9", "g", "0", "9"],
            "/_ah/api/update/v1/apps/e9/groups/g/requests/events/0/9",
        );
        assert_eq!(find("update.nothing"), None);
    }

    proptest! {
        #[test]
        fn no_value_can_leave_its_place(value in ".{1,20}") {
            let path = find("update.app.get").unwrap().expand(&[&value]);
            prop_assert_eq!(path.split('/').count(), 7);
            prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#'));
        }
    }
}
