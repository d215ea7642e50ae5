//! The binary package format gpkg (GLEP 78), normalised: equal content gives equal bytes.
//!
//! Portage's own file depends on the order of a directory and on times. Ours holds the same members, sorted, with times
//! clamped, compressed by one thread, under the same manifest.

use std::{
    fmt::Write as _,
    io::{self, Read, Seek},
};

use blake2::{Blake2b512, Digest as _};
use camino::{Utf8Path, Utf8PathBuf};
use sha2::Sha512;
use slipway_store::archive::{
    self, ArchiveError, Compress, HardLinks, Member, MemberKind, Owner, Reader, TarOptions, Writer,
};

use crate::PortageError;

/// Fast to make; an image's files are compressed anew anyway.
const LEVEL: i32 = 3;

/// Package files that came out of [`normalise`].
#[derive(Clone, Debug)]
pub struct Normalised {
    /// The binary package, as `emerge --usepkg` takes it.
    pub gpkg: Utf8PathBuf,
    /// The installed files alone: a tar archive, compressed with zstd.
    pub image: Utf8PathBuf,
    /// What Portage knows of the package: a tar archive of its `metadata/`, not compressed.
    pub metadata: Utf8PathBuf,
}

/// Makes the normalised files of the package that Portage left at `gpkg`, in `work`, an empty folder.
///
/// # Errors
/// When the file is not a gpkg, or installs something outside of `/usr`, or cannot be read or written.
pub fn normalise(gpkg: &Utf8Path, work: &Utf8Path, epoch: u64) -> Result<Normalised, PortageError> {
    let parts = Parts::extract(gpkg, work)?;
    let failed = |source| PortageError::Archive { path: gpkg.to_owned(), source };
    let tree = work.join("tree");
    fs_err::create_dir_all(&tree)
        .map_err(|source| PortageError::Repack { path: gpkg.to_owned(), source })?;
    archive::unpack_file(&parts.image, &tree, &archive::UnpackOptions::for_this_user())
        .map_err(failed)?;
    refuse_outside_usr(&parts.name, &tree.join("image"))?;
    let options = |compress| TarOptions {
        mtime_clamp: i64::try_from(epoch).unwrap_or(i64::MAX),
        owner: Owner::Keep,
        hard_links: HardLinks::Keep,
        compress,
        filter: None,
    };
    let write = |dir: &Utf8Path, name: &str, compress| {
        let path = work.join(name);
        let out = fs_err::File::create(&path)
            .map_err(|source| PortageError::Repack { path: gpkg.to_owned(), source })?;
        archive::write_tree(dir, out, &options(compress)).map_err(failed)?;
        Ok(path)
    };
    let image = write(&tree.join("image"), "normal-image.tar.zst", Compress::Zstd(LEVEL))?;
    let inner = write(&tree, "normal-inner.tar.zst", Compress::Zstd(LEVEL))?;
    let described = work.join("described");
    archive::unpack_file(&parts.metadata, &described, &archive::UnpackOptions::for_this_user())
        .map_err(failed)?;
    let metadata = write(&described, "normal-metadata.tar", Compress::None)?;
    let packed = write(&described, "normal-metadata.tar.zst", Compress::Zstd(LEVEL))?;
    let out = work.join("normal.gpkg.tar");
    assemble(&out, &parts.name, &packed, &inner, epoch)
        .map_err(|source| PortageError::Repack { path: gpkg.to_owned(), source })?;
    Ok(Normalised { gpkg: out, image, metadata })
}

struct Parts {
    name: String,
    metadata: Utf8PathBuf,
    image: Utf8PathBuf,
}

impl Parts {
    /// Takes the two inner archives out of the outer one.
    fn extract(gpkg: &Utf8Path, work: &Utf8Path) -> Result<Self, PortageError> {
        let repack = |source| PortageError::Repack { path: gpkg.to_owned(), source };
        let malformed =
            |problem: String| PortageError::Malformed { path: gpkg.to_owned(), problem };
        let failed = |source: ArchiveError| PortageError::Archive { path: gpkg.to_owned(), source };
        let mut reader = Reader::new(io::BufReader::new(fs_err::File::open(gpkg).map_err(repack)?));
        let (mut name, mut metadata, mut image, mut marked) = (None, None, None, false);
        while let Some(mut entry) = reader.next_entry().map_err(failed)? {
            let path = String::from_utf8_lossy(&entry.member().path).into_owned();
            let (folder, file) = path
                .split_once('/')
                .ok_or_else(|| malformed(format!("`{path}` is not in a folder")))?;
            if *name.get_or_insert_with(|| folder.to_owned()) != folder {
                return Err(malformed(format!("`{path}` is in another folder than the rest")));
            }
            let place = match file.split('.').next() {
                Some("gpkg-1") => {
                    marked = true;
                    continue;
                }
                Some("metadata") if !file.ends_with(".sig") => {
                    metadata.insert(work.join("metadata.tar"))
                }
                Some("image") if !file.ends_with(".sig") => image.insert(work.join("image.tar")),
                _ => continue,
            };
            let mut out = fs_err::File::create(&*place).map_err(repack)?;
            io::copy(&mut entry, &mut out).map_err(repack)?;
        }
        if !marked {
            return Err(malformed("the member `gpkg-1` is missing".to_owned()));
        }
        let need = |what: Option<Utf8PathBuf>, kind: &str| {
            what.ok_or_else(|| malformed(format!("it has no {kind}")))
        };
        Ok(Self {
            name: name.unwrap_or_default(),
            metadata: need(metadata, "metadata")?,
            image: need(image, "image")?,
        })
    }
}

/// A file outside of `/usr` would be lost: the system has nothing else. Empty folders that Portage keeps are no harm.
fn refuse_outside_usr(package: &str, image: &Utf8Path) -> Result<(), PortageError> {
    let mut paths = Vec::new();
    for entry in walkdir::WalkDir::new(image).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|source| PortageError::Overlay {
            path: image.to_owned(),
            source: source.into(),
        })?;
        let path = entry.path().strip_prefix(image).unwrap_or(entry.path());
        if !path.starts_with("usr") && !entry.file_type().is_dir() {
            paths.push(format!("/{}", path.display()));
        }
    }
    paths.truncate(5);
    if paths.is_empty() {
        Ok(())
    } else {
        Err(PortageError::OutsideUsr { package: package.to_owned(), paths })
    }
}

fn assemble(
    out: &Utf8Path,
    name: &str,
    metadata: &Utf8Path,
    image: &Utf8Path,
    epoch: u64,
) -> io::Result<()> {
    let mut writer = Writer::new(io::BufWriter::new(fs_err::File::create(out)?));
    let mut manifest = String::new();
    let mut add = |file: &str, mut content: fs_err::File| -> io::Result<()> {
        manifest.push_str(&data_line(file, &mut content)?);
        let size = content.stream_position()?;
        content.rewind()?;
        writer.append(&member(name, file, size, epoch), content)
    };
    let marker = out.with_extension("marker");
    fs_err::write(&marker, "")?;
    add("gpkg-1", fs_err::File::open(&marker)?)?;
    add("metadata.tar.zst", fs_err::File::open(metadata)?)?;
    add("image.tar.zst", fs_err::File::open(image)?)?;
    writer.append(&member(name, "Manifest", manifest.len() as u64, epoch), manifest.as_bytes())?;
    writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// What a manifest says of a member.
pub(crate) fn data_line(file: &str, content: &mut impl Read) -> io::Result<String> {
    let (size, blake2b, sha512) = digests(content)?;
    Ok(format!("DATA {file} {size} BLAKE2B {blake2b} SHA512 {sha512}\n"))
}

fn member(folder: &str, file: &str, size: u64, epoch: u64) -> Member {
    let mut member = Member::file(&format!("{folder}/{file}"), size);
    member.mtime = i64::try_from(epoch).unwrap_or(i64::MAX);
    member.kind = MemberKind::File;
    member
}

fn digests(content: &mut impl Read) -> io::Result<(u64, String, String)> {
    let (mut blake2b, mut sha512) = (Blake2b512::new(), Sha512::new());
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let read = content.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        blake2b.update(&buffer[..read]);
        sha512.update(&buffer[..read]);
        size += read as u64;
    }
    Ok((size, hex(&blake2b.finalize()), hex(&sha512.finalize())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
