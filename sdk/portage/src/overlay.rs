//! The ebuild repository as files: what identifies the whole of it, and what one package is made from.

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use crate::{Package, PortageError};

/// An ebuild repository in a folder.
#[derive(Clone, Debug)]
pub struct Overlay {
    dir: Utf8PathBuf,
}

/// A file that a package is made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecipeFile {
    /// Its path in the repository.
    pub name: String,
    /// Where it is.
    pub path: Utf8PathBuf,
}

impl Overlay {
    /// The repository in `dir`.
    pub fn new(dir: impl Into<Utf8PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Its folder.
    pub fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    /// Every file that can change what Portage resolves, in the order of their names.
    ///
    /// # Errors
    /// When a folder cannot be read or a name is not UTF-8.
    pub fn files(&self) -> Result<Vec<RecipeFile>, PortageError> {
        self.below(&self.dir)
    }

    /// What `package` is made from: its ebuild, its `files/`, the eclasses that it inherits and the variables of the profile.
    ///
    /// # Errors
    /// As [`files`](Self::files).
    pub fn recipe(&self, package: &Package) -> Result<Vec<RecipeFile>, PortageError> {
        let file = |name: String| RecipeFile { path: self.dir.join(&name), name };
        let mut files = vec![file(package.cpv.ebuild())];
        files.extend(package.eclasses.iter().map(|eclass| file(format!("eclass/{eclass}.eclass"))));
        let patches = self.dir.join(package.cpv.category_and_name()).join("files");
        if patches.is_dir() {
            files.extend(self.below(&patches)?);
        }
        let variables = self.below(&self.dir.join("profiles/slipway"))?;
        files.extend(variables.into_iter().filter(|f| f.name.ends_with("/make.defaults")));
        files.sort();
        Ok(files)
    }

    /// What every copy of the repository needs beside recipes, so that Portage takes it for one: `profiles/`, `metadata/layout.conf`
    /// and the package's Manifest. None of it changes what comes out of a build.
    ///
    /// # Errors
    /// As [`files`](Self::files).
    pub fn frame(&self, package: &Package) -> Result<Vec<RecipeFile>, PortageError> {
        let mut files = self.below(&self.dir.join("profiles"))?;
        let more = [
            "metadata/layout.conf".to_owned(),
            format!("{}/Manifest", package.cpv.category_and_name()),
        ];
        let more = more.into_iter().map(|name| RecipeFile { path: self.dir.join(&name), name });
        files.extend(more.filter(|file| file.path.is_file()));
        Ok(files)
    }

    fn below(&self, dir: &Utf8Path) -> Result<Vec<RecipeFile>, PortageError> {
        let mut files = Vec::new();
        for entry in WalkDir::new(dir).sort_by_file_name() {
            let entry = entry.map_err(|source| PortageError::Overlay {
                path: dir.to_owned(),
                source: source.into(),
            })?;
            if entry.file_type().is_dir() {
                continue;
            }
            let path = Utf8PathBuf::from_path_buf(entry.into_path()).map_err(|path| {
                PortageError::Overlay {
                    path: dir.to_owned(),
                    source: std::io::Error::other(format!(
                        "the name `{}` is not UTF-8",
                        path.display()
                    )),
                }
            })?;
            let name = path.strip_prefix(&self.dir).unwrap_or(&path).to_string();
            files.push(RecipeFile { name, path });
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_names_what_the_package_is_made_from() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        for name in [
            "sys-libs/zlib/zlib-1.ebuild",
            "sys-libs/zlib/zlib-2.ebuild",
            "sys-libs/zlib/Manifest",
            "sys-libs/zlib/files/fix.patch",
            "eclass/meson.eclass",
            "eclass/other.eclass",
            "profiles/categories",
            "profiles/slipway/base/make.defaults",
            "profiles/slipway/base/packages",
            "metadata/layout.conf",
        ] {
            let path = root.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let package: Package = serde_json::from_str(
            r#"{"cpv":"sys-libs/zlib-2","slot":"0","description":"","homepage":"","license":"","restrict":[],"use":[],"iuse":[],
                "eclasses":["meson"],"edges":{"depend":[],"bdepend":[],"rdepend":[],"pdepend":[],"idepend":[]},"implicit":false,"distfiles":[]}"#,
        )
        .unwrap();
        let overlay = Overlay::new(root);
        let names = |files: Vec<RecipeFile>| files.into_iter().map(|f| f.name).collect::<Vec<_>>();
        assert_eq!(
            names(overlay.recipe(&package).unwrap()),
            [
                "eclass/meson.eclass",
                "profiles/slipway/base/make.defaults",
                "sys-libs/zlib/files/fix.patch",
                "sys-libs/zlib/zlib-2.ebuild"
            ]
        );
        assert_eq!(
            names(overlay.frame(&package).unwrap()),
            [
                "profiles/categories",
                "profiles/slipway/base/make.defaults",
                "profiles/slipway/base/packages",
                "metadata/layout.conf",
                "sys-libs/zlib/Manifest"
            ]
        );
        assert_eq!(overlay.files().unwrap().len(), 10);
    }
}
