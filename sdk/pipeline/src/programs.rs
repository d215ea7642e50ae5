//! Programs that firmware starts, on their way out of the build to be signed, and back onto a disk.

use std::{io, io::Read as _};

use slipway_image::{BOOT_LOADER, BOOT_LOADER_PATH, Enrol};
use slipway_store::{
    Digest, Store,
    archive::{ArchiveError, Reader, decompress},
};

use crate::PipelineError;

/// Signed programs, all of them blobs of the store. Whoever has a release has these blobs, so everybody can make its disk again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPrograms {
    /// The UKI.
    pub uki: Digest,
    /// systemd's boot loader.
    pub boot_loader: Digest,
    /// The files that enrol the certificates, by their names in a folder of `loader/keys`.
    pub enrolment: Vec<(String, Digest)>,
    /// When they are enrolled.
    pub enrol: Enrol,
}

impl SignedPrograms {
    /// The files by their names below `/in` of the action that makes the disk.
    pub(crate) fn files(&self) -> Vec<(String, Digest)> {
        let programs =
            [("slipway.efi".to_owned(), self.uki), (BOOT_LOADER.to_owned(), self.boot_loader)];
        let folder = self.enrol.folder();
        let enrolment = self.enrolment.iter();
        let enrolment = enrolment.map(|(name, digest)| (format!("{folder}/{name}"), *digest));
        programs.into_iter().chain(enrolment).collect()
    }
}

/// The boot loader in the image of systemd, as it was built.
///
/// # Errors
/// When the blob is not there, is damaged, or has no boot loader.
pub fn boot_loader(store: &Store, systemd: &Digest) -> Result<Vec<u8>, PipelineError> {
    let blob = store.blob(systemd).map_err(|source| PipelineError::Store { source })?;
    let failed = |source| PipelineError::BootLoader { source };
    let blob = blob.ok_or_else(|| failed(io::Error::other("the image of systemd is damaged")))?;
    let file = fs_err::File::open(blob).map_err(failed)?;
    let broken = |error: ArchiveError| failed(io::Error::other(error));
    let mut members = Reader::new(decompress(file).map_err(broken)?);
    while let Some(mut member) = members.next_entry().map_err(broken)? {
        if member.member().path == BOOT_LOADER_PATH.as_bytes() {
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).map_err(failed)?;
            return Ok(bytes);
        }
    }
    Err(failed(io::Error::other(format!("`{BOOT_LOADER_PATH}` is not in it"))))
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use slipway_store::archive::{Compress, HardLinks, Owner, TarOptions, write_tree};

    use super::*;

    /// The digest of an archive with one file.
    fn archive(store: &Store, dir: &Utf8Path, name: &str, compress: Compress) -> Digest {
        let tree = dir.join("tree");
        fs_err::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
        fs_err::write(tree.join(name), "MZ the boot loader").unwrap();
        let options = TarOptions {
            mtime_clamp: 0,
            owner: Owner::Root,
            hard_links: HardLinks::AsFiles,
            compress,
            filter: None,
        };
        let mut bytes = Vec::new();
        write_tree(&tree, &mut bytes, &options).unwrap();
        fs_err::remove_dir_all(tree).unwrap();
        store.put_bytes(&bytes).unwrap()
    }

    #[test]
    fn files_for_enrolment_lie_where_the_boot_loader_looks() {
        #[track_caller]
        fn check(enrol: Enrol, expected: &str) {
            let digest = |text: &str| Digest::of_bytes(text.as_bytes());
            let programs = SignedPrograms {
                uki: digest("uki"),
                boot_loader: digest("loader"),
                enrolment: vec![("PK.auth".to_owned(), digest("PK"))],
                enrol,
            };
            let expected = [
                ("slipway.efi", digest("uki")),
                ("systemd-bootx64.efi", digest("loader")),
                (expected, digest("PK")),
            ];
            let files = programs.files();
            let files: Vec<_> =
                files.iter().map(|(name, digest)| (name.as_str(), *digest)).collect();
            assert_eq!(files, expected);
        }
        check(Enrol::Manual, "loader/keys/slipway/PK.auth");
        check(Enrol::IfSafe, "loader/keys/auto/PK.auth");
    }

    #[test]
    fn the_boot_loader_is_found_in_the_image_of_systemd() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let store = Store::open(&dir.join("store")).unwrap();
        let good = archive(&store, dir, BOOT_LOADER_PATH, Compress::None);
        assert_eq!(boot_loader(&store, &good).unwrap(), b"MZ the boot loader");
        let other = archive(&store, dir, "usr/bin/true", Compress::None);
        let error = boot_loader(&store, &other).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, format!("`{BOOT_LOADER_PATH}` is not in it"));
        boot_loader(&store, &Digest::of_bytes(b"nothing")).unwrap_err();
    }
}
