//! Which issuer, and which of its groups may do what here.

use std::fmt;

use crate::{ids::AppId, store::Role};

/// The group that everybody is in whom the issuer lets in.
const EVERYBODY: &str = "*";

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whom it is meant.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An issuer, and what it may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcSettings {
    /// The issuer's address, exactly as its tokens have it.
    pub issuer: String,
    /// What the issuer calls this server.
    pub client_id: String,
    /// What proves to the issuer that it is this server; PKCE alone if absent.
    pub client_secret: Option<Secret>,
    /// What is asked for, separated by spaces; `openid` among it.
    pub scopes: String,
    /// The claim that names people.
    pub name_claim: String,
    /// The claim that lists their groups: its name, or a path of names with dots.
    pub groups_claim: String,
    /// Which group may do what.
    pub roles: Vec<GroupRole>,
    /// How long a session lasts, in hours.
    pub session_hours: u32,
}

/// What a group of the issuer may do here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRole {
    /// The group, as the claim has it; `*` for everybody.
    pub group: String,
    /// What it may do.
    pub role: Role,
    /// In which application; in all of them if absent.
    pub app: Option<AppId>,
}

impl GroupRole {
    /// Whether it is about somebody in these groups.
    pub(super) fn suits(&self, groups: &[&str]) -> bool {
        self.group == EVERYBODY || groups.contains(&self.group.as_str())
    }
}

/// Reads `GROUP=ROLE`, or `GROUP=ROLE@APPLICATION`, several of them separated by commas. `None` for what is no such list.
pub(crate) fn roles(text: &str) -> Option<Vec<GroupRole>> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let roles: Option<Vec<GroupRole>> = entries.map(role).collect();
    roles.filter(|roles| !roles.is_empty())
}

fn role(entry: &str) -> Option<GroupRole> {
    let (group, right) = entry.rsplit_once('=')?;
    let (role, app) = match right.split_once('@') {
        Some((role, app)) => (role, Some(app.trim().parse().ok()?)),
        None => (right, None),
    };
    let group = Some(group.trim()).filter(|group| !group.is_empty())?.to_owned();
    Some(GroupRole { group, role: role.trim().parse().ok()?, app })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[(&str, Role, Option<&str>)]>) {
        let read = roles(text);
        let shown = read.as_ref().map(|roles| {
            let show =
                |of: &GroupRole| (of.group.clone(), of.role, of.app.clone().map(String::from));
            roles.iter().map(show).collect::<Vec<_>>()
        });
        let expected = expected.map(|roles| {
            let show = |(group, role, app): &(&str, Role, Option<&str>)| {
                ((*group).to_owned(), *role, app.map(str::to_owned))
            };
            roles.iter().map(show).collect::<Vec<_>>()
        });
        assert_eq!(shown, expected, "{text:?}");
    }

    #[test]
    fn groups_get_roles() {
        check("ops=operator", Some(&[("ops", Role::Operator, None)]));
        check(
            " Slipway Admins = admin , /lab=viewer@e9,",
            Some(&[("Slipway Admins", Role::Admin, None), ("/lab", Role::Viewer, Some("e9"))]),
        );
        check("a=b=viewer", Some(&[("a=b", Role::Viewer, None)]));
        for odd in ["", ",", "ops", "=admin", "ops=root", "ops=admin@", "ops=", "a=viewer,b"] {
            check(odd, None);
        }
    }
}
