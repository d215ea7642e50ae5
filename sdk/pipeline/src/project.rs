//! The repository's files, read and validated.

use camino::{Utf8Path, Utf8PathBuf};
use slipway_packages_manifest::{Image, Images, Layout, Platform, Release};
use slipway_portage::Overlay;

use crate::{PipelineError, Workspace, WorkspaceError};

/// A work tree of this repository.
#[derive(Debug)]
pub struct Project {
    root: Utf8PathBuf,
    images: Images,
    release: Release,
}

impl Project {
    /// Reads the manifests of the repository at `root`.
    ///
    /// # Errors
    /// When a file is missing or not valid.
    pub fn load(root: &Utf8Path) -> Result<Self, PipelineError> {
        let manifests = root.join("packages-manifest");
        let manifest = |source| PipelineError::Manifest { source };
        let mut images = Images::default();
        for (name, file, text) in toml_files(root, &manifests.join("images"))? {
            images.add(&name, &file, &text).map_err(manifest)?;
        }
        let (file, text) = read(root, &manifests.join("release.toml"))?;
        let release = Release::parse(&file, &text).map_err(manifest)?;
        Ok(Self { root: root.to_owned(), images, release })
    }

    /// The folder of the repository.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The ebuild repository.
    pub fn overlay(&self) -> Overlay {
        Overlay::new(self.root.join("overlays/slipway"))
    }

    /// The cargo workspace.
    ///
    /// # Errors
    /// When a manifest or the lock file is missing or not understood.
    pub fn workspace(&self) -> Result<Workspace, WorkspaceError> {
        Workspace::load(&self.root)
    }

    /// Where the SDK's seed is described.
    pub fn seed_dir(&self) -> Utf8PathBuf {
        self.root.join("sdk/seed")
    }

    /// What the next release is called.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// The names of all images that are disks.
    ///
    /// # Errors
    /// When an image is not valid.
    pub fn disk_images(&self) -> Result<Vec<Image>, PipelineError> {
        let images: Result<Vec<_>, _> =
            self.images.names().map(|name| self.image(name.as_str())).collect();
        Ok(images?.into_iter().filter(|image| image.layout.is_some()).collect())
    }

    /// One image.
    ///
    /// # Errors
    /// When there is no such image, or it is not valid.
    pub fn image(&self, name: &str) -> Result<Image, PipelineError> {
        self.images.get(name).map_err(|source| PipelineError::Manifest { source })
    }

    /// One layout.
    ///
    /// # Errors
    /// When there is no such layout, or it is not valid.
    pub fn layout(&self, name: &str) -> Result<Layout, PipelineError> {
        let (file, text) =
            read(&self.root, &self.root.join(format!("packages-manifest/layouts/{name}.toml")))?;
        Layout::parse(&file, &text).map_err(|source| PipelineError::Manifest { source })
    }

    /// One platform.
    ///
    /// # Errors
    /// When there is no such platform, or it is not valid.
    pub fn platform(&self, name: &str) -> Result<Platform, PipelineError> {
        let (file, text) =
            read(&self.root, &self.root.join(format!("packages-manifest/platforms/{name}.toml")))?;
        Platform::parse(&file, &text).map_err(|source| PipelineError::Manifest { source })
    }
}

/// The name for messages and the text of a file.
fn read(root: &Utf8Path, path: &Utf8Path) -> Result<(String, String), PipelineError> {
    let text = fs_err::read_to_string(path)
        .map_err(|source| PipelineError::Repository { path: root.to_owned(), source })?;
    Ok((path.strip_prefix(root).unwrap_or(path).to_string(), text))
}

fn toml_files(
    root: &Utf8Path,
    dir: &Utf8Path,
) -> Result<Vec<(String, String, String)>, PipelineError> {
    let failed = |source| PipelineError::Repository { path: root.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs_err::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(path) = Utf8Path::from_path(&path).filter(|path| path.extension() == Some("toml"))
        else {
            continue;
        };
        let (file, text) = read(root, path)?;
        files.push((path.file_stem().unwrap_or_default().to_owned(), file, text));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_tree_is_valid() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let project = Project::load(&root).unwrap();
        let images = project.disk_images().unwrap();
        let names: Vec<_> = images.iter().map(|image| image.name.as_str()).collect();
        assert_eq!(names, ["minimal", "production"]);
        for image in images {
            project.layout(image.layout.as_deref().unwrap()).unwrap();
            project.image(image.initrd.as_ref().unwrap().as_str()).unwrap();
        }
    }

    #[test]
    fn an_unknown_image_is_named() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let error = Project::load(&root).unwrap().image("minmal").unwrap_err();
        let PipelineError::Manifest { source } = error else { panic!("{error:?}") };
        assert!(source.to_string().contains("there is no image `minmal`"), "{source}");
    }
}
