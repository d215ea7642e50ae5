//! Which server is followed, and which of its tracks.

use std::fmt;

use camino::Utf8PathBuf;
use url::Url;

use super::{KeyError, PayloadKey};
use crate::{ids::AppId, store::Arch};

/// A server that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSettings {
    /// Its address for Omaha.
    pub url: Url,
    /// Which of its tracks; never empty.
    pub feeds: Vec<Feed>,
    /// How often, in seconds.
    pub interval: u64,
    /// Where machines get the files.
    pub payloads: Payloads,
}

/// Where machines get the files of packages that were taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payloads {
    /// From where the upstream says.
    Link,
    /// From here: they are fetched and verified first.
    Host {
        /// Where the public key is that they must be signed by, if it matters.
        key: Option<Utf8PathBuf>,
    },
}

impl SyncSettings {
    /// Reads the key that payloads must be signed by, if there is one.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn key(&self) -> Result<Option<PayloadKey>, KeyError> {
        match &self.payloads {
            Payloads::Host { key: Some(file) } => PayloadKey::read(file).map(Some),
            Payloads::Host { key: None } | Payloads::Link => Ok(None),
        }
    }
}

/// A track of an application, for an architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The application, by the id that both servers know.
    pub app: AppId,
    /// The track there, and the label of the channel here.
    pub track: String,
    /// The architecture.
    pub arch: Arch,
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.track, self.arch, self.app)
    }
}

/// Reads `TRACK/ARCHITECTURE@APPLICATION`, several of them separated by commas; without an application that of Container Linux
/// and Flatcar. `None` for what is no such list.
pub(crate) fn feeds(text: &str) -> Option<Vec<Feed>> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let feeds: Option<Vec<Feed>> = entries.map(feed).collect();
    feeds.filter(|feeds| !feeds.is_empty())
}

fn feed(entry: &str) -> Option<Feed> {
    let (track, rest) = entry.split_once('/')?;
    let (arch, app) = rest.split_once('@').unwrap_or((rest, slipway_omaha::COREOS_APP_ID));
    let arch = arch.trim().parse().ok().filter(|arch| *arch != Arch::All)?;
    let track = Some(track.trim()).filter(|track| !track.is_empty())?.to_owned();
    Some(Feed { app: app.trim().parse().ok()?, track, arch })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[&str]>) {
        let read = feeds(text).map(|feeds| feeds.iter().map(Feed::to_string).collect::<Vec<_>>());
        let expected = expected.map(|feeds| feeds.iter().map(|feed| (*feed).to_owned()).collect());
        assert_eq!(read, expected, "{text:?}");
    }

    #[test]
    fn tracks_have_an_architecture_and_perhaps_an_application() {
        let flatcar = "stable/amd64@e96281a6-d1af-4bde-9a0a-97b76e56dc57";
        check("stable/amd64", Some(&[flatcar]));
        check(" stable/amd64 , lts/arm64@e9,", Some(&[flatcar, "lts/arm64@e9"]));
        for odd in ["", ",", "stable", "/amd64", "stable/", "stable/all", "stable/mips", "a/amd64@"]
        {
            check(odd, None);
        }
    }
}
