//! What a release is made of, and how: a bill of materials (CycloneDX 1.6) and a provenance (in-toto statement 1, SLSA 1.0).
//!
//! Both are written from the graph that built the release, not by looking at what came out.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Value, json};
use slipway_store::Digest;

use crate::{Artefact, ChannelError, ROOT_ARTEFACT};

/// What kind of build the provenance speaks of.
const BUILD_TYPE: &str = "urn:slipway:build-image:1";

/// A source of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its file name.
    pub name: String,
    /// SHA-512, in hexadecimal.
    pub sha512: String,
    /// BLAKE2b-512, in hexadecimal.
    pub blake2b: String,
}

/// A crate of Rust's registry that a program is made with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Library {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its archive, in hexadecimal.
    pub sha256: String,
}

impl Library {
    /// Its package URL (ECMA-427, type `cargo`), by which lists of vulnerabilities know it.
    pub fn url(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version.replace('+', "%2B"))
    }
}

/// A package of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its category, such as `sys-apps`.
    pub category: String,
    /// Its name.
    pub name: String,
    /// Version with revision.
    pub version: String,
    /// One line for people.
    pub description: String,
    /// The project's pages.
    pub homepage: String,
    /// The licences, as the ebuild says.
    pub licence: String,
    /// The digest of what it installs.
    pub image: Option<Digest>,
    /// Its sources.
    pub sources: Vec<Source>,
    /// The crates that are linked into its programs.
    pub libraries: Vec<Library>,
    /// What it needs to run, each as [`Component::reference`].
    pub needs: Vec<String>,
}

impl Component {
    /// How other components call it.
    pub fn reference(&self) -> String {
        format!("{}/{}@{}", self.category, self.name, self.version)
    }
}

/// What a release is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// The image.
    pub image: String,
    /// The version.
    pub version: String,
    /// The architecture.
    pub arch: String,
    /// The key of the action that made the disk.
    pub inputs: String,
    /// The digest of the SDK that built it.
    pub sdk: String,
    /// The digest of the root metadata that the image trusts.
    pub root: Option<Digest>,
    /// The packages.
    pub components: Vec<Component>,
}

impl Bill {
    /// Each crate once, whichever programs it is in.
    fn libraries(&self) -> BTreeSet<&Library> {
        self.components.iter().flat_map(|component| &component.libraries).collect()
    }

    /// The bill of materials, as CycloneDX 1.6 JSON.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn to_cyclonedx(&self) -> Result<Bytes, ChannelError> {
        let own = format!("slipway-{}@{}", self.image, self.version);
        let mut dependencies = vec![json!({
            "ref": own,
            "dependsOn": self.components.iter().map(Component::reference).collect::<Vec<_>>(),
        })];
        dependencies.extend(self.components.iter().map(|component| {
            let libraries = component.libraries.iter().map(Library::url);
            let needs: Vec<String> = component.needs.iter().cloned().chain(libraries).collect();
            json!({ "ref": component.reference(), "dependsOn": needs })
        }));
        let packages = self.components.iter().map(component);
        let components: Vec<Value> =
            packages.chain(self.libraries().into_iter().map(library)).collect();
        pretty(&json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": format!("urn:uuid:{}", uuid(&self.inputs)),
            "version": 1,
            "metadata": { "component": {
                "type": "operating-system",
                "bom-ref": own,
                "name": format!("slipway-{}", self.image),
                "version": self.version,
            }},
            "components": components,
            "dependencies": dependencies,
        }))
    }

    /// The provenance of these files, as an in-toto statement with a SLSA 1.0 predicate.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn to_provenance(
        &self,
        artefacts: &BTreeMap<String, Artefact>,
    ) -> Result<Bytes, ChannelError> {
        let subject: Vec<Value> = artefacts
            .iter()
            .map(|(name, artefact)| {
                json!({ "name": name, "digest": { "sha256": artefact.sha256.to_string() } })
            })
            .collect();
        let mut inputs = vec![json!({ "name": "sdk", "digest": { "sha256": self.sdk } })];
        inputs.extend(self.root.map(
            |root| json!({ "name": ROOT_ARTEFACT, "digest": { "sha256": root.to_string() } }),
        ));
        let mut sources: Vec<&Source> = self.components.iter().flat_map(|c| &c.sources).collect();
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        sources.dedup();
        inputs.extend(
            sources.iter().map(
                |source| json!({ "name": source.name, "digest": { "sha512": source.sha512 } }),
            ),
        );
        inputs.extend(self.libraries().into_iter().map(
            |library| json!({ "uri": library.url(), "digest": { "sha256": library.sha256 } }),
        ));
        pretty(&json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": subject,
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": {
                        "image": self.image, "version": self.version, "arch": self.arch,
                    },
                    "internalParameters": {},
                    "resolvedDependencies": inputs,
                },
                "runDetails": {
                    "builder": { "id": "urn:slipway:xtask" },
                    "metadata": { "invocationId": self.inputs },
                },
            },
        }))
    }
}

fn library(library: &Library) -> Value {
    json!({
        "type": "library",
        "bom-ref": library.url(),
        "name": library.name,
        "version": library.version,
        "purl": library.url(),
        "hashes": [{ "alg": "SHA-256", "content": library.sha256 }],
    })
}

fn component(component: &Component) -> Value {
    let mut references: Vec<Value> = component
        .homepage
        .split_whitespace()
        .map(|url| json!({ "type": "website", "url": url }))
        .collect();
    references.extend(component.sources.iter().map(|source| {
        json!({
            "type": "source-distribution",
            "url": source.name,
            "hashes": [
                { "alg": "SHA-512", "content": source.sha512 },
                { "alg": "BLAKE2b-512", "content": source.blake2b },
            ],
        })
    }));
    let mut value = json!({
        "type": "library",
        "bom-ref": component.reference(),
        "group": component.category,
        "name": component.name,
        "version": component.version,
        "description": component.description,
        "licenses": [{ "license": { "name": component.licence } }],
        "externalReferences": references,
    });
    if let Some(image) = component.image {
        value["hashes"] = json!([{ "alg": "SHA-256", "content": image.to_string() }]);
    }
    value
}

/// A UUID made of the first half of a digest (RFC 9562, version 8).
fn uuid(digest: &str) -> String {
    let sha = Digest::of_bytes(digest.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&sha.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn pretty(value: &Value) -> Result<Bytes, ChannelError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(slipway_payload::RecordError::Json)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill() -> Bill {
        let source = Source { name: "z.tar".into(), sha512: "5".into(), blake2b: "b".into() };
        let library = Library { name: "c".into(), version: "1.0.0+z".into(), sha256: "2".into() };
        let make = |name: &str, needs: &[&str]| Component {
            category: "sys-libs".into(),
            name: name.into(),
            version: "1.2".into(),
            description: "Zip".into(),
            homepage: "https://a.example https://b.example".into(),
            licence: "ZLIB".into(),
            image: Some(Digest::of_bytes(b"i")),
            sources: vec![source.clone()],
            libraries: vec![library.clone()],
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
        };
        Bill {
            image: "minimal".into(),
            version: "4.0.0".into(),
            arch: "amd64".into(),
            inputs: "k".into(),
            sdk: "s".into(),
            root: Some(Digest::of_bytes(b"r")),
            components: vec![make("a", &["sys-libs/b@1.2"]), make("b", &[])],
        }
    }

    fn parsed(bytes: &Bytes) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn every_reference_of_the_bill_is_a_component() {
        let value = parsed(&bill().to_cyclonedx().unwrap());
        let known: Vec<&str> = value["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| component["bom-ref"].as_str().unwrap())
            .collect();
        assert_eq!(known, ["sys-libs/a@1.2", "sys-libs/b@1.2", "pkg:cargo/c@1.0.0%2Bz"]);
        assert_eq!(value["components"][2]["purl"], "pkg:cargo/c@1.0.0%2Bz");
        let named = value["dependencies"].as_array().unwrap().iter();
        for need in named.flat_map(|entry| entry["dependsOn"].as_array().unwrap()) {
            assert!(known.contains(&need.as_str().unwrap()), "{need}");
        }
        assert_eq!(value["serialNumber"].as_str().unwrap().len(), "urn:uuid:".len() + 36);
    }

    #[test]
    fn the_provenance_names_each_input_once() {
        let artefact = Artefact { sha256: slipway_payload::Digest::of_bytes(b"x"), length: 1 };
        let value = parsed(&bill().to_provenance(&[("usr".to_owned(), artefact)].into()).unwrap());
        let inputs = &value["predicate"]["buildDefinition"]["resolvedDependencies"];
        let names: Vec<&str> = inputs
            .as_array()
            .unwrap()
            .iter()
            .map(|input| input["name"].as_str().or(input["uri"].as_str()).unwrap())
            .collect();
        assert_eq!(names, ["sdk", "root.json", "z.tar", "pkg:cargo/c@1.0.0%2Bz"]);
        assert_eq!(value["subject"][0]["name"], "usr");
    }

    #[test]
    fn the_same_bill_is_written_the_same() {
        assert_eq!(bill().to_cyclonedx().unwrap(), bill().to_cyclonedx().unwrap());
    }
}
