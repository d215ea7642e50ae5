//! Packages: a payload of one version of an application.

use serde::{Deserialize, Serialize};

/// A package. Sums are in base64, the size is a string; both by the protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Package {
    /// Its application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// When it was made, by RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub date_created: String,
    /// The signature of the payload's metadata.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata_signature_rsa: String,
    /// The length of the payload's metadata, in bytes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata_size: String,
    /// What is new.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub release_notes: String,
    /// Whether no host may skip it.
    pub required: bool,
    /// SHA-1 of the payload, base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha1_sum: String,
    /// SHA-256 of the payload, base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256_sum: String,
    /// The length of the payload, in bytes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub size: String,
    /// Where the payload is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Its version, by semantic versioning.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// A page of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PackageList {
    /// The newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Package>,
    /// How many there are without the page's limit.
    pub total: i64,
}

/// The public packages of one application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicPackageItem {
    /// The application. (In upper case here, and here only, by the protocol.)
    #[serde(rename = "AppId", skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// Its packages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Package>,
}

/// The packages that published channels point to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicPackageList {
    /// By application.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<PublicPackageItem>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_bad, check_read};
    use super::*;

    #[test]
    fn packages() {
        let package = Package {
            app_id: "e9".into(),
            date_created: "2026-11-25T22:00:00Z".into(),
            metadata_signature_rsa: "c2ln".into(),
            metadata_size: "190".into(),
            release_notes: "new".into(),
            required: true,
            sha1_sum: "c2hh".into(),
            sha256_sum: "c2hhMg==".into(),
            size: "382137917".into(),
            url: "https://h/update.gz".into(),
            version: "1.2.3".into(),
        };
        check(
            r#"{"appId":"e9","dateCreated":"2026-11-25T22:00:00Z","metadataSignatureRsa":"c2ln","metadataSize":"190","releaseNotes":"new","required":true,"sha1Sum":"c2hh","sha256Sum":"c2hhMg==","size":"382137917","url":"https://h/update.gz","version":"1.2.3"}"#,
            &package,
        );
        check_read("{}", &Package::default());
        check_bad::<Package>(r#"{"size":382137917}"#);
    }

    #[test]
    fn lists() {
        check(r#"{"total":0}"#, &PackageList::default());
        check(
            r#"{"items":[{"required":false}],"total":7}"#,
            &PackageList { items: vec![Package::default()], total: 7 },
        );
        let item = PublicPackageItem { app_id: "e9".into(), packages: vec![Package::default()] };
        check(
            r#"{"items":[{"AppId":"e9","packages":[{"required":false}]}]}"#,
            &PublicPackageList { items: vec![item] },
        );
    }
}
