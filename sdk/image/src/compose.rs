//! Composing: the kept files of packages, merged into one tree by hard links.

use std::{io, os::unix::fs::MetadataExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use slipway_packages_manifest::PathFilter;
use slipway_store::{LinkMode, LinkOptions, link_tree};
use walkdir::WalkDir;

use crate::ImageError;

/// The installed files of one package.
#[derive(Clone, Debug)]
pub struct PackageTree {
    /// What it is called in reports.
    pub package: String,
    /// Its unpacked files.
    pub dir: Utf8PathBuf,
}

/// How much of an image a package is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSize {
    /// The package.
    pub package: String,
    /// The bytes of its kept files, before compression.
    pub bytes: u64,
    /// The number of its kept files and links.
    pub files: u64,
}

/// What was composed.
#[derive(Clone, Debug, Default)]
pub struct Composed {
    /// One entry per package, largest first.
    pub sizes: Vec<PackageSize>,
}

/// Folders that every system has, and the links that merge the historic ones into `/usr`.
const LINKS: [(&str, &str); 2] = [("usr/lib64", "lib"), ("usr/sbin", "bin")];

/// Merges what `filter` keeps of `packages` into `dest`, an empty folder.
///
/// # Errors
/// When two packages have the same file, or a file cannot be read or linked.
pub fn compose(
    packages: &[PackageTree],
    filter: &PathFilter,
    dest: &Utf8Path,
) -> Result<Composed, ImageError> {
    let work = |source: io::Error| ImageError::Work { path: dest.to_owned(), source };
    for dir in ["usr/bin", "usr/lib"] {
        fs_err::create_dir_all(dest.join(dir)).map_err(work)?;
    }
    for (name, target) in LINKS {
        fs_err::os::unix::fs::symlink(target, dest.join(name)).map_err(work)?;
    }
    let mut sizes = Vec::new();
    for package in packages {
        link_tree(&package.dir, dest, &LinkOptions { mode: LinkMode::HardLink })
            .map_err(|source| ImageError::Compose { package: package.package.clone(), source })?;
        sizes.push(measure(package, filter).map_err(work)?);
    }
    remove_excluded(dest, filter).map_err(work)?;
    sizes.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.package.cmp(&b.package)));
    Ok(Composed { sizes })
}

fn measure(package: &PackageTree, filter: &PathFilter) -> io::Result<PackageSize> {
    let mut size = PackageSize { package: package.package.clone(), bytes: 0, files: 0 };
    for entry in WalkDir::new(&package.dir).min_depth(1) {
        let entry = entry?;
        let path = entry.path().strip_prefix(&package.dir).unwrap_or(entry.path());
        if !entry.file_type().is_dir() && filter.keeps(&format!("/{}", path.display())) {
            size.files += 1;
            size.bytes += entry.metadata()?.size();
        }
    }
    Ok(size)
}

/// Removes what is not kept, and the folders that this leaves empty.
fn remove_excluded(dest: &Utf8Path, filter: &PathFilter) -> io::Result<()> {
    for entry in WalkDir::new(dest).min_depth(1).contents_first(true) {
        let entry = entry?;
        let path = entry.path().strip_prefix(dest).unwrap_or(entry.path());
        if filter.keeps(&format!("/{}", path.display())) {
            continue;
        }
        if !entry.file_type().is_dir() {
            fs_err::remove_file(entry.path())?;
        } else if fs_err::read_dir(entry.path())?.next().is_none() {
            fs_err::remove_dir(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(root: &Utf8Path, name: &str, files: &[(&str, &str)]) -> PackageTree {
        let dir = root.join(name);
        for (path, text) in files {
            let path = dir.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        PackageTree { package: name.to_owned(), dir }
    }

    fn list(dir: &Utf8Path) -> Vec<String> {
        let entries =
            WalkDir::new(dir).min_depth(1).sort_by_file_name().into_iter().map(Result::unwrap);
        entries.map(|e| e.path().strip_prefix(dir).unwrap().display().to_string()).collect()
    }

    #[test]
    fn an_image_has_what_is_kept_and_no_empty_folders() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let packages = [
            package(root, "a", &[("usr/bin/a", "1234"), ("usr/include/a/a.h", "x")]),
            package(root, "b", &[("usr/lib/libb.so", "123456"), ("usr/lib/libb.a", "x")]),
        ];
        let globs = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
        let filter =
            PathFilter { exclude: globs(&["/usr/include/**", "/usr/lib/**/*.a"]), include: vec![] };
        let dest = root.join("out");
        let composed = compose(&packages, &filter, &dest).unwrap();
        assert_eq!(
            list(&dest),
            ["usr", "usr/bin", "usr/bin/a", "usr/lib", "usr/lib/libb.so", "usr/lib64", "usr/sbin"]
        );
        let sizes: Vec<_> =
            composed.sizes.iter().map(|s| (s.package.as_str(), s.bytes, s.files)).collect();
        assert_eq!(sizes, [("b", 6, 1), ("a", 4, 1)]);
    }

    #[test]
    fn two_packages_with_the_same_file_are_an_error_that_names_both() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let packages =
            [package(root, "a", &[("usr/bin/x", "1")]), package(root, "b", &[("usr/bin/x", "2")])];
        let error = compose(&packages, &PathFilter::default(), &root.join("out")).unwrap_err();
        assert!(
            matches!(&error, ImageError::Compose { package, source: slipway_store::LinkError::Collision { path, .. } }
            if package == "b" && path.ends_with("usr/bin/x")),
            "{error:?}"
        );
    }
}
