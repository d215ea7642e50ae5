//! Users of the API, and a fresh identifier.

use serde::{Deserialize, Serialize};

/// A user. The token is there only in the answer that made it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdminUser {
    /// The key for Hawk.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// The name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
}

/// Which user to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AdminUserReq {
    /// The name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_name: String,
}

/// All users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdminListUsersResp {
    /// By name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<AdminUser>,
}

/// A fresh UUID.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerateUuidResp {
    /// Version 4, lower case, with hyphens.
    pub uuid: String,
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_bad};
    use super::*;

    #[test]
    fn users() {
        let alice = AdminUser { token: String::new(), user: "alice".into() };
        check(r#"{"user":"alice"}"#, &alice);
        check(
            r#"{"token":"secret","user":"alice"}"#,
            &AdminUser { token: "secret".into(), ..alice.clone() },
        );
        check(r#"{"users":[{"user":"alice"}]}"#, &AdminListUsersResp { users: vec![alice] });
        check("{}", &AdminListUsersResp::default());
        check(r#"{"userName":"bob"}"#, &AdminUserReq { user_name: "bob".into() });
        check_bad::<AdminUserReq>(r#"{"userName":7}"#);
        check_bad::<AdminUserReq>("[]}");
    }

    #[test]
    fn a_fresh_identifier() {
        check(r#"{"uuid":"x"}"#, &GenerateUuidResp { uuid: "x".into() });
    }
}
