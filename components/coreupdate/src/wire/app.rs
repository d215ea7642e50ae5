//! Applications.

use serde::{Deserialize, Serialize};

/// An application; also the body that makes or changes one, where what is empty stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    /// What it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its identifier, a UUID by custom.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// All applications.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppListResp {
    /// In the order of their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<App>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_bad, check_read};
    use super::*;

    #[test]
    fn applications() {
        let app = App { description: "Hosts".into(), id: "e9".into(), label: "CoreOS".into() };
        check(r#"{"description":"Hosts","id":"e9","label":"CoreOS"}"#, &app);
        check(
            r#"{"items":[{"id":"e9"}]}"#,
            &AppListResp { items: vec![App { id: "e9".into(), ..App::default() }] },
        );
        check("{}", &App::default());
        check_read(
            r#"{"id":"e9","kind":"update#app"}"#,
            &App { id: "e9".into(), ..App::default() },
        );
        check_bad::<App>(r#"{"label":null}"#);
    }
}
