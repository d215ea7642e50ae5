//! Makes a root file system an image of the daemon, once per id.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use bollard::errors::Error as BollardError;
use bollard::query_parameters::CreateImageOptionsBuilder;
use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use futures::StreamExt;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use walkdir::WalkDir;

use crate::policy::TMP_MODE;
use crate::{EngineError, RootFs};

const REPOSITORY: &str = "slipway/sdk";
/// A tag may not be longer.
const TAG_LENGTH: usize = 128;
/// The archive is sent in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;

/// Makes sure that the image of `root` exists, and returns its name.
pub(super) async fn ensure(client: &bollard::Docker, root: &RootFs) -> Result<String, EngineError> {
    let tag = tag(&root.id);
    let image = format!("{REPOSITORY}:{tag}");
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| EngineError::DockerImport {
        path: root.dir.clone(),
        image: image.clone(),
        source,
    };
    match client.inspect_image(&image).await {
        Ok(_) => return Ok(image),
        Err(BollardError::DockerResponseServerError { status_code: 404, .. }) => (),
        Err(error) => return Err(failed(error.into())),
    }
    let (sender, receiver) = channel(4);
    let dir = root.dir.clone();
    let archive = tokio::task::spawn_blocking(move || write_archive(&dir, sender));
    let options =
        CreateImageOptionsBuilder::default().from_src("-").repo(REPOSITORY).tag(&tag).build();
    let body = bollard::body_try_stream(pieces(receiver));
    let mut progress = client.create_image(Some(options), Some(body), None);
    let mut answer = Ok(());
    while let Some(step) = progress.next().await {
        answer = answer.and(step.map(drop));
    }
    // A tree that cannot be read also makes the daemon complain, about something less telling.
    archive.await.map_err(|error| failed(error.into()))?.map_err(|error| failed(error.into()))?;
    answer.map_err(|error| failed(error.into()))?;
    Ok(image)
}

/// The part of an id that a tag can bear.
fn tag(id: &str) -> String {
    let legal =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    let tag: String = id.chars().map(legal).take(TAG_LENGTH).collect();
    if tag.starts_with(['.', '-']) { format!("_{}", &tag[1..]) } else { tag }
}

fn pieces(
    receiver: Receiver<io::Result<Bytes>>,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    futures::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|piece| (piece, receiver))
    })
}

/// Archives a tree. When that fails, the receiver gets an error too, so that no half image is made.
fn write_archive(dir: &Utf8Path, sender: Sender<io::Result<Bytes>>) -> io::Result<()> {
    let result = archive(dir, Pieces { sender: sender.clone(), buffer: Vec::new() });
    if result.is_err() {
        let _receiver_gone =
            sender.blocking_send(Err(io::Error::other("the tree could not be read")));
    }
    result
}

/// Collects what is written into pieces and sends them.
struct Pieces {
    sender: Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Writes the tree in a fixed order, with owners, links, devices and file capabilities.
fn archive(dir: &Utf8Path, out: impl Write) -> io::Result<()> {
    let mut builder = Builder::new(out);
    let mut links: HashMap<(u64, u64), Utf8PathBuf> = HashMap::new();
    for entry in WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let path =
            Utf8PathBuf::try_from(entry.into_path()).map_err(|error| error.into_io_error())?;
        let name = path.strip_prefix(dir).map_err(io::Error::other)?.to_owned();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.nlink() > 1 && !metadata.is_dir() {
            let first =
                links.entry((metadata.dev(), metadata.ino())).or_insert_with(|| name.clone());
            if *first != name {
                append_hard_link(&mut builder, &metadata, &name, first)?;
                continue;
            }
        }
        append(&mut builder, &path, &name, &metadata)?;
    }
    if !dir.join("tmp").exists() {
        append_tmp(&mut builder)?;
    }
    builder.into_inner()?.flush()
}

fn append_hard_link(
    builder: &mut Builder<impl Write>,
    metadata: &std::fs::Metadata,
    name: &Utf8Path,
    first: &Utf8Path,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_metadata(metadata);
    header.set_entry_type(EntryType::Link);
    header.set_size(0);
    builder.append_link(&mut header, name, first)
}

fn append(
    builder: &mut Builder<impl Write>,
    path: &Utf8Path,
    name: &Utf8Path,
    metadata: &std::fs::Metadata,
) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_socket() {
        return Ok(());
    }
    append_attributes(builder, path)?;
    let mut header = Header::new_gnu();
    header.set_metadata(metadata);
    if kind.is_symlink() {
        header.set_size(0);
        return builder.append_link(&mut header, name, fs::read_link(path)?);
    }
    if kind.is_file() {
        return builder.append_data(&mut header, name, fs::File::open(path)?);
    }
    header.set_size(0);
    if kind.is_char_device() || kind.is_block_device() {
        header.set_device_major(rustix::fs::major(metadata.rdev()))?;
        header.set_device_minor(rustix::fs::minor(metadata.rdev()))?;
    }
    builder.append_data(&mut header, name, io::empty())
}

/// File capabilities are an extended attribute, which tar only knows as an extension.
fn append_attributes(builder: &mut Builder<impl Write>, path: &Utf8Path) -> io::Result<()> {
    let mut value = [0_u8; 256];
    match rustix::fs::lgetxattr(path.as_str(), "security.capability", &mut value) {
        Ok(length) => {
            builder.append_pax_extensions([("SCHILY.xattr.security.capability", &value[..length])])
        }
        Err(_) => Ok(()),
    }
}

fn append_tmp(builder: &mut Builder<impl Write>) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Directory);
    header.set_mode(TMP_MODE);
    header.set_size(0);
    builder.append_data(&mut header, "tmp", io::empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn ids_become_tags() {
        assert_eq!(tag("sha256:0f"), "sha256-0f");
        assert_eq!(tag("-a/b"), "_a-b");
        assert_eq!(tag(&"a".repeat(200)).len(), 128);
    }

    #[test]
    fn a_tree_is_archived_with_its_links() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(temporary.path()).unwrap();
        fs::create_dir(dir.join("bin")).unwrap();
        fs::write(dir.join("bin/sh"), "program").unwrap();
        fs::set_permissions(dir.join("bin/sh"), std::fs::Permissions::from_mode(0o4755)).unwrap();
        fs::hard_link(dir.join("bin/sh"), dir.join("bin/zsh")).unwrap();
        symlink("sh", dir.join("bin/ash")).unwrap();

        let mut bytes = Vec::new();
        archive(dir, &mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let list = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let link = entry.link_name().unwrap().map(|link| link.display().to_string());
            let header = entry.header();
            let (kind, mode) = (header.entry_type(), header.mode().unwrap() & 0o7777);
            format!(
                "{} {kind:?} {mode:o} {}",
                entry.path().unwrap().display(),
                link.unwrap_or_default()
            )
        });
        let list: Vec<_> = list.collect();
        assert_eq!(
            list[1..4],
            ["bin/ash Symlink 777 sh", "bin/sh Regular 4755 ", "bin/zsh Link 4755 bin/sh"]
        );
        assert_eq!(list[4], "tmp Directory 1777 ");
    }

    #[test]
    fn an_unreadable_tree_is_told_to_both_sides() {
        let (sender, mut receiver) = channel(4);
        write_archive(Utf8Path::new("/no/such"), sender).unwrap_err();
        receiver.blocking_recv().unwrap().unwrap_err();
    }
}
