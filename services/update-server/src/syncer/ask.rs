//! What an upstream is asked, and what its answer offers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use semver::Version;
use sha2::{Digest as _, Sha256};
use slipway_omaha::{
    App, CheckStatus, InstallSource, Manifest, Request, Response, SYNCER_VERSION, UpdateCheck,
};

use super::{Feed, SyncError};
use crate::{
    ids::{hex, plain_file_name},
    store::{Arch, Origin, Package, PackageFile},
};

/// The version of who has none.
pub(super) const NONE: &str = "0.0.0";

/// The most versions that an answer may offer.
const MOST: usize = 100;

/// A version that the upstream has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) version: String,
    /// Why nobody may skip it, if nobody may.
    pub(super) floor: Option<String>,
    /// Where its files are; never empty.
    pub(super) codebases: Vec<String>,
    /// The payload, then what belongs to it; never empty.
    pub(super) files: Vec<PackageFile>,
    no_backoff: bool,
}

/// What Nebraska's syncer would ask: servers of the family know it, and do not count it as a machine.
pub(super) fn request(feed: &Feed, version: &str, upstream: &str) -> Result<Request, SyncError> {
    let id = feed.app.as_str().parse().map_err(|_| SyncError::App { app: feed.app.to_string() })?;
    let mut app = App::new(id, version);
    app.track.clone_from(&feed.track);
    app.board = match feed.arch {
        Arch::Arm64 => "arm64-usr",
        _ => "amd64-usr",
    }
    .to_owned();
    // The same every time, so that an upstream that does count knows one machine.
    let machine = Sha256::digest(format!("slipway syncer {upstream} {feed}"));
    app.machine_id = hex(&machine[..16]);
    app.multi_manifest_ok = true;
    app.update_check = Some(UpdateCheck::default());
    let install_source = InstallSource::Scheduler;
    let version = SYNCER_VERSION.to_owned();
    Ok(Request { version, install_source, apps: vec![app], ..Request::default() })
}

/// What is newer than a version: floors in the order of their versions, and last where to arrive. Empty if nothing is.
pub(super) fn offers(answer: &Response, version: &str) -> Result<Vec<Offer>, SyncError> {
    let unknown = |status: String| SyncError::Unknown { status };
    let app = answer.apps.first().ok_or_else(|| unknown("no answer".to_owned()))?;
    let check = app.update_check.as_ref().ok_or_else(|| unknown(format!("{:?}", app.status)))?;
    match &check.status {
        CheckStatus::Ok => {}
        CheckStatus::NoUpdate => return Ok(Vec::new()),
        other => return Err(unknown(format!("{other:?}"))),
    }
    let Some(target) = check.target() else { return Ok(Vec::new()) };
    if check.manifests.len() > MOST {
        return Err(problem(&target.version, "and more versions than can be"));
    }
    let floors = check.manifests.iter().filter(|manifest| manifest.floor.is_some());
    let others = floors.filter(|manifest| manifest.version != target.version);
    let mut offers: Vec<(Version, Offer)> = Vec::new();
    for manifest in others.chain([target]) {
        offers.push(offer(manifest, &check.codebases)?);
    }
    let now = Version::parse(version).ok();
    let (to, _) = &offers[offers.len() - 1];
    let to = to.clone();
    if now.as_ref().is_some_and(|now| to <= *now) {
        return Err(problem(&target.version, "which is not newer than what is here"));
    }
    // Floors that are behind, or beyond the target, are nobody's.
    offers.retain(|(version, _)| Some(version) > now.as_ref() && *version <= to);
    offers.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(offers.into_iter().map(|(_, offer)| offer).collect())
}

fn problem(version: &str, problem: &'static str) -> SyncError {
    SyncError::Offer { version: version.chars().take(64).collect(), problem }
}

fn offer(manifest: &Manifest, codebases: &[String]) -> Result<(Version, Offer), SyncError> {
    let wrong = |text| problem(&manifest.version, text);
    let version = Version::parse(&manifest.version)
        .map_err(|_| wrong("which is no version of three numbers"))?;
    let fine = |base: &&String| base.starts_with("https://") || base.starts_with("http://");
    let codebases: Vec<String> = codebases.iter().filter(fine).cloned().collect();
    if codebases.is_empty() {
        return Err(wrong("and does not say where it is"));
    }
    let action = manifest.actions.iter().find(|action| action.event == "postinstall");
    let mut files: Vec<PackageFile> = Vec::new();
    for file in &manifest.packages {
        if !plain_file_name(&file.name) || file.size == 0 {
            return Err(wrong("whose file has no name that could be one, or no length"));
        }
        files.push(PackageFile {
            name: file.name.clone(),
            size: file.size,
            sha1: file.sha1_base64.clone(),
            sha256: file.sha256_hex.to_ascii_lowercase(),
            required: file.required,
        });
    }
    let payload = files.first_mut().ok_or_else(|| wrong("without a file"))?;
    // The action's digest is what hosts check; it must be there, and the same if the file has one too.
    let said = action.and_then(|action| STANDARD.decode(&action.sha256_base64).ok());
    let said = said.filter(|digest| digest.len() == 32).map(|digest| hex(&digest));
    match said {
        Some(said) if payload.sha256.is_empty() || payload.sha256 == said => payload.sha256 = said,
        Some(_) => return Err(wrong("with two digests that differ")),
        None if payload.sha256.is_empty() => return Err(wrong("without a SHA-256")),
        None => {}
    }
    let no_backoff = action.is_none_or(|action| action.disable_payload_backoff);
    if action.is_some_and(|action| action.is_delta) {
        return Err(wrong("which is a difference to another version"));
    }
    let floor = manifest.floor.clone();
    Ok((version, Offer { version: manifest.version.clone(), floor, codebases, files, no_backoff }))
}

impl Offer {
    /// Whether a package is the same thing.
    pub(super) fn is(&self, package: &Package) -> bool {
        let payload = &self.files[0];
        package.size == payload.size && package.sha256 == payload.sha256
    }

    /// The package, with its files in a folder.
    pub(super) fn package(&self, empty: Package, url: String) -> Package {
        let payload = self.files[0].clone();
        Package {
            origin: Origin::Upstream,
            url,
            file: payload.name,
            size: payload.size,
            sha1: payload.sha1,
            sha256: payload.sha256,
            no_backoff: self.no_backoff,
            files: self.files[1..].to_vec(),
            ..empty
        }
    }
}

#[cfg(test)]
mod tests {
    use slipway_omaha::{Action, AppResponse, CheckResponse, Package as File};

    use super::*;

    fn manifest(version: &str, floor: Option<&str>) -> Manifest {
        let file = File { name: "update.gz".to_owned(), size: 7, ..File::default() };
        Manifest {
            version: version.to_owned(),
            floor: floor.map(str::to_owned),
            packages: vec![file],
            actions: vec![Action::postinstall(STANDARD.encode([7; 32]))],
            ..Manifest::default()
        }
    }

    fn answer(manifests: Vec<Manifest>) -> Response {
        let mut check = CheckResponse::with_status(CheckStatus::Ok);
        check.codebases = vec!["https://files.example/".to_owned()];
        check.manifests = manifests;
        let mut app = AppResponse::new("e9".parse().unwrap());
        app.update_check = Some(check);
        let mut response = Response::new("test");
        response.apps.push(app);
        response
    }

    fn check(manifests: Vec<Manifest>, now: &str, expected: Result<&[&str], &str>) {
        let offers = offers(&answer(manifests), now);
        match (offers, expected) {
            (Ok(offers), Ok(expected)) => {
                let versions: Vec<&str> =
                    offers.iter().map(|offer| offer.version.as_str()).collect();
                assert_eq!(versions, expected);
            }
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (offers, expected) => panic!("{offers:?} {expected:?}"),
        }
    }

    #[test]
    fn floors_come_in_their_order_and_the_target_last() {
        check(vec![manifest("2.0.0", None)], NONE, Ok(&["2.0.0"]));
        let many = || {
            vec![
                manifest("1.5.0", Some("b")),
                manifest("1.2.0", Some("a")),
                manifest("2.0.0", None),
            ]
        };
        check(many(), NONE, Ok(&["1.2.0", "1.5.0", "2.0.0"]));
        check(many(), "1.2.0", Ok(&["1.5.0", "2.0.0"]));
        check(many(), "2.0.0", Err("not newer"));
        check(many(), "3.0.0", Err("not newer"));
        check(
            vec![manifest("3.0.0", Some("beyond")), manifest("2.0.0", None)],
            NONE,
            Ok(&["2.0.0"]),
        );
        check(vec![], NONE, Ok(&[]));
    }

    #[test]
    fn what_does_not_hold_is_named() {
        let odd = |change: &dyn Fn(&mut Manifest), expected| {
            let mut manifest = manifest("2.0.0", None);
            change(&mut manifest);
            check(vec![manifest], NONE, Err(expected));
        };
        odd(&|one| one.version = "new".to_owned(), "no version of three numbers");
        odd(&|one| one.packages.clear(), "without a file");
        odd(&|one| one.packages[0].name = "../x".to_owned(), "no name");
        odd(&|one| one.packages[0].name = ".x".to_owned(), "no name");
        odd(&|one| one.packages[0].size = 0, "no length");
        odd(&|one| one.actions.clear(), "without a SHA-256");
        odd(&|one| one.packages[0].sha256_hex = "00".repeat(32), "two digests that differ");
        odd(&|one| one.actions[0].is_delta = true, "difference to another version");
        check(vec![manifest("2.0.0", None); MOST + 1], NONE, Err("more versions"));
        let mut nowhere = answer(vec![manifest("2.0.0", None)]);
        nowhere.apps[0].update_check.as_mut().unwrap().codebases = vec!["file:///etc/".to_owned()];
        let error = offers(&nowhere, NONE).unwrap_err().to_string();
        assert!(error.contains("does not say where it is"), "{error}");
    }

    #[test]
    fn no_update_is_nothing_and_an_error_is_one() {
        let mut said = answer(vec![]);
        said.apps[0].update_check = Some(CheckResponse::no_update());
        assert_eq!(offers(&said, NONE).unwrap(), []);
        said.apps[0].update_check = None;
        assert!(offers(&said, NONE).is_err());
        said.apps.clear();
        assert!(offers(&said, NONE).is_err());
    }

    #[test]
    fn servers_of_the_family_know_the_syncer() {
        let feed =
            Feed { app: "e9".parse().unwrap(), track: "stable".to_owned(), arch: Arch::Arm64 };
        let asked = request(&feed, "1.0.0", "https://up.example").unwrap();
        assert!(asked.is_syncer() && asked.apps[0].multi_manifest_ok);
        assert_eq!(asked.arch(&asked.apps[0]), slipway_omaha::Arch::Arm64);
        assert_eq!(asked.apps[0].machine_id.len(), 32);
        assert_eq!(asked, request(&feed, "1.0.0", "https://up.example").unwrap());
    }
}
