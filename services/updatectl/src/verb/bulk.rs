//! Many packages at once: a folder of payloads, each with a file `…info.json` beside it.

use std::path::{Path, PathBuf};

use clap::Args;
use futures::{StreamExt as _, stream};
use slipway_coreupdate::wire::Package as Wire;
use tokio_util::io::ReaderStream;
use url::Url;

use super::Context;
use crate::random::unguessable;
use crate::{Client, CtlError};

/// The end of the names of files that describe packages.
pub(super) const INFO: &str = "info.json";

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Folder with files `…info.json` [default: this folder]
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Address that hosts will get the payloads from, in place of the one in the files
    #[arg(long, value_name = "URL")]
    base_url: Option<Url>,
}

#[derive(Debug, Args)]
pub(crate) struct Upload {
    /// Folder with payloads
    #[arg(long)]
    dir: PathBuf,
}

/// The name of a payload in such a folder.
pub(super) fn payload_name(package: &Wire) -> String {
    let end = package.url.find(['?', '#']).unwrap_or(package.url.len());
    let base = package.url[..end].rsplit('/').next().unwrap_or_default();
    let name = format!("{}_{}_{base}", package.app_id, package.version);
    name.chars()
        .map(|char| if char == '/' || char == '\\' || char.is_control() { '_' } else { char })
        .collect()
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CtlError> {
    let entries = fs_err::read_dir(folder).map_err(CtlError::file("list the folder"))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(CtlError::file("list the folder"))?;
        if entry.file_type().map_err(CtlError::file("list the folder"))?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

impl Create {
    fn read(&self, path: &Path) -> Result<Wire, CtlError> {
        let text = fs_err::read_to_string(path).map_err(CtlError::file("read a description"))?;
        let content = |source: serde_json::Error| CtlError::Content {
            path: path.to_owned(),
            source: source.into(),
        };
        let mut package: Wire = serde_json::from_str(&text).map_err(content)?;
        if let Some(base) = &self.base_url {
            package.url =
                format!("{}/{}", base.as_str().trim_end_matches('/'), payload_name(&package));
        }
        Ok(package)
    }

    async fn create(&self, client: &Client, path: &Path) -> Result<Wire, CtlError> {
        let package = self.read(path)?;
        let names = [package.app_id.as_str(), package.version.as_str()];
        client.call("update.app.package.insert", &names, &[], Some(&package)).await
    }

    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let mut files = files(&self.dir)?;
        files.retain(|path| path.to_string_lossy().ends_with(INFO));
        let (mut made, mut failed) = (Vec::new(), 0);
        for path in &files {
            match self.create(client, path).await {
                Ok(package) => made.push(package),
                Err(error) => {
                    failed += 1;
                    streams.note(&format!("{}:", path.display()));
                    streams.complain(&error);
                }
            }
        }
        streams.say(
            settings,
            &made,
            &format!("Package metadata uploaded. Total={} Errors={failed}", files.len()),
        )?;
        if let Some(base) = &self.base_url {
            streams.note(&format!("Please upload payloads to {base}."));
        }
        if failed == 0 { Ok(()) } else { Err(CtlError::Some { failed, total: files.len() }) }
    }
}

/// Sends a payload as a form with one file, without holding it in memory.
pub(super) async fn upload(client: &Client, path: &Path) -> Result<(), CtlError> {
    let file = fs_err::tokio::File::open(path).await.map_err(CtlError::file("open a payload"))?;
    let size = file.metadata().await.map_err(CtlError::file("open a payload"))?.len();
    let boundary = unguessable(16);
    let [before, after] = frame(path, &boundary);
    let length = size + (before.len() + after.len()) as u64;
    let text = |text: String| stream::once(async { Ok::<_, std::io::Error>(text.into()) });
    let body = text(before).chain(ReaderStream::new(file)).chain(text(after));
    let kind = format!("multipart/form-data; boundary={boundary}");
    client
        .post(&client.url("/package-upload")?, &kind, length, reqwest::Body::wrap_stream(body))
        .await
}

/// What stands around a file in a form.
fn frame(path: &Path, boundary: &str) -> [String; 2] {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let name: String = name
        .chars()
        .map(|char| if char == '"' || char.is_control() { '_' } else { char })
        .collect();
    let head = format!(
        "content-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: application/octet-stream"
    );
    [format!("--{boundary}\r\n{head}\r\n\r\n"), format!("\r\n--{boundary}--\r\n")]
}

impl Upload {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let mut files = files(&self.dir)?;
        files.retain(|path| !path.to_string_lossy().ends_with(INFO));
        let mut failed = 0;
        for path in &files {
            match upload(client, path).await {
                Ok(()) => streams.note(&format!("uploaded {}", path.display())),
                Err(error) => {
                    failed += 1;
                    streams.note(&format!("{}:", path.display()));
                    streams.complain(&error);
                }
            }
        }
        let sentence = format!("Package payloads uploaded. Total={} Errors={failed}", files.len());
        streams.say(
            settings,
            &serde_json::json!({ "total": files.len(), "errors": failed }),
            &sentence,
        )?;
        if failed == 0 { Ok(()) } else { Err(CtlError::Some { failed, total: files.len() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let [before, _] = frame(Path::new("a\"\r\nx"), "b");
        assert!(before.contains("filename=\"a___x\"\r\n"), "{before}");
    }

    #[test]
    fn the_name_of_a_payload_says_whose_it_is() {
        let check = |url: &str, expected: &str| {
            let package = Wire {
                app_id: "e9".into(),
                version: "1.2.3".into(),
                url: url.into(),
                ..Wire::default()
            };
            assert_eq!(payload_name(&package), expected);
        };
        check("https://h/a/update.gz", "e9_1.2.3_update.gz");
        check("https://h/a/update.gz?sig=a/b", "e9_1.2.3_update.gz");
        check("", "e9_1.2.3_");
        let hostile = Wire {
            app_id: "../../etc".into(),
            version: "a\\b".into(),
            url: "https://h/..".into(),
            ..Wire::default()
        };
        assert_eq!(payload_name(&hostile), ".._.._etc_a_b_..");
    }
}
