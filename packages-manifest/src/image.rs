//! Images: which packages, which of their files, on which layout.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::Deserialize;

use crate::{Atom, ManifestError, PathFilter, Size, error::parse};

/// The name of an image: that of its file, without `.toml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName(String);

impl ImageName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ImageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let valid = !text.is_empty()
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is not an image name; use a-z, 0-9 and `-`"))
        }
    }
}

/// The largest content that the partitions may have, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// The file system of `/usr`.
    pub usr: Option<Size>,
    /// All files of the EFI system partition.
    pub esp: Option<Size>,
}

/// A validated image with everything that it inherits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its name.
    pub name: ImageName,
    /// One line for people.
    pub description: String,
    /// What is installed; what these need at run time comes along.
    pub packages: BTreeSet<Atom>,
    /// Which files of the packages are kept.
    pub filter: PathFilter,
    /// The disk layout; none for an initrd.
    pub layout: Option<String>,
    /// The image that becomes the initrd; none for an initrd.
    pub initrd: Option<ImageName>,
    /// Limits that fail the build.
    pub budget: Budget,
}

/// All images of the repository, parsed but not yet resolved.
#[derive(Debug, Default)]
pub struct Images(BTreeMap<ImageName, (String, RawImage)>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawImage {
    description: String,
    extends: Option<String>,
    layout: Option<String>,
    initrd: Option<String>,
    packages: Vec<String>,
    exclude: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    budget: RawBudget,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBudget {
    usr: Option<String>,
    esp: Option<String>,
}

impl Images {
    /// Adds the image `name` from the text of `file`.
    ///
    /// # Errors
    /// When the name is not one, or the text is not TOML of this form.
    pub fn add(&mut self, name: &str, file: &str, text: &str) -> Result<(), ManifestError> {
        let name = name.parse().map_err(|problem: String| ManifestError::invalid(file, problem))?;
        self.0.insert(name, (file.to_owned(), parse(file, text)?));
        Ok(())
    }

    /// The names of all images.
    pub fn names(&self) -> impl Iterator<Item = &ImageName> {
        self.0.keys()
    }

    /// One image, merged with those that it extends.
    ///
    /// # Errors
    /// When there is no such image, a chain of `extends` leads back to itself, or a value is not valid.
    pub fn get(&self, name: &str) -> Result<Image, ManifestError> {
        self.merge(name, "images", &mut Vec::new())
    }

    fn merge(
        &self,
        name: &str,
        from: &str,
        chain: &mut Vec<String>,
    ) -> Result<Image, ManifestError> {
        chain.push(name.to_owned());
        if chain[..chain.len() - 1].iter().any(|seen| seen == name) {
            return Err(ManifestError::invalid(
                from,
                format!("images extend each other in a circle: {}", chain.join(" -> ")),
            ));
        }
        let Some((name, (file, raw))) = self.0.iter().find(|(known, _)| known.as_str() == name)
        else {
            let known: Vec<_> = self.0.keys().map(|n| format!("`{n}`")).collect();
            return Err(ManifestError::invalid(
                from,
                format!("there is no image `{name}`; there are {}", known.join(", ")),
            ));
        };
        let own = raw.validate(name, file)?;
        let Some(base) = &raw.extends else { return Ok(own) };
        let base = self.merge(base, file, chain)?;
        Ok(own.on_top_of(base))
    }
}

impl RawImage {
    fn validate(&self, name: &ImageName, file: &str) -> Result<Image, ManifestError> {
        fn each<T: FromStr<Err: fmt::Display>>(
            file: &str,
            texts: &[String],
        ) -> Result<Vec<T>, ManifestError> {
            texts
                .iter()
                .map(|text| {
                    text.parse().map_err(|e: T::Err| ManifestError::invalid(file, e.to_string()))
                })
                .collect()
        }
        let size = |text: &Option<String>| {
            each(file, text.as_slice()).map(|sizes: Vec<Size>| sizes.first().copied())
        };
        let mut packages = BTreeSet::new();
        for atom in each::<Atom>(file, &self.packages)? {
            if let Some(twice) = packages.replace(atom) {
                return Err(ManifestError::invalid(
                    file,
                    format!("package `{twice}` is named twice"),
                ));
            }
        }
        Ok(Image {
            name: name.clone(),
            description: self.description.clone(),
            packages,
            filter: PathFilter {
                exclude: each(file, &self.exclude)?,
                include: each(file, &self.include)?,
            },
            layout: self.layout.clone(),
            initrd: each(file, self.initrd.as_slice())?.into_iter().next(),
            budget: Budget { usr: size(&self.budget.usr)?, esp: size(&self.budget.esp)? },
        })
    }
}

impl Image {
    fn on_top_of(mut self, base: Self) -> Self {
        self.packages.extend(base.packages);
        self.filter.exclude.splice(0..0, base.filter.exclude);
        self.filter.include.splice(0..0, base.filter.include);
        self.layout = self.layout.or(base.layout);
        self.initrd = self.initrd.or(base.initrd);
        self.budget.usr = self.budget.usr.or(base.budget.usr);
        self.budget.esp = self.budget.esp.or(base.budget.esp);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> Images {
        let mut images = Images::default();
        for (name, text) in [
            ("minimal", include_str!("../images/minimal.toml")),
            ("production", include_str!("../images/production.toml")),
            ("initrd", include_str!("../images/initrd.toml")),
        ] {
            images.add(name, &format!("{name}.toml"), text).unwrap();
        }
        images
    }

    #[test]
    fn production_is_minimal_and_more() {
        let images = repository();
        let (minimal, production) =
            (images.get("minimal").unwrap(), images.get("production").unwrap());
        assert!(production.packages.is_superset(&minimal.packages));
        assert!(production.packages.len() > minimal.packages.len());
        assert_eq!((production.layout, production.initrd), (minimal.layout, minimal.initrd));
        assert_eq!(production.filter, minimal.filter);
    }

    #[test]
    fn bad_images_are_refused_with_the_reason() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let mut images = repository();
            let result = images.add("x", "x.toml", text).and_then(|()| images.get("x"));
            let error = result.expect_err("accepted");
            let text = match &error {
                ManifestError::Parse { source, .. } => format!("{error}: {}", source.message()),
                ManifestError::Invalid { .. } => error.to_string(),
            };
            assert!(text.contains(expected), "{text}");
        }
        let with = |more: &str| format!("description = \"d\"\npackages = []\nexclude = []\n{more}");
        check(&with("extends = \"x\""), "`x.toml`: images extend each other in a circle: x -> x");
        check(
            &with("extends = \"y\""),
            "there is no image `y`; there are `initrd`, `minimal`, `production`, `x`",
        );
        check(&with("packges = []"), "unknown field `packges`");
        check(&with("initrd = \"../x\""), "`../x` is not an image name");
        check(&with("[budget]\nusr = \"1 GB\""), "`1 GB` is not a size");
        check(
            "description = \"d\"\npackages = [\"systemd\"]\nexclude = []",
            "`systemd` is not a package",
        );
        check(
            "description = \"d\"\npackages = [\"a/b\", \"a/b\"]\nexclude = []",
            "package `a/b` is named twice",
        );
        check(
            "description = \"d\"\npackages = []\nexclude = [\"usr\"]",
            "`usr` is not a path pattern",
        );
        check("description = ", "cannot read `x.toml`");
    }
}
