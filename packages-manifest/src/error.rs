//! The errors of this crate.

/// A manifest file that cannot be used. Each variant names the file.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("cannot read `{file}`")]
    Parse {
        /// The file, as the caller named it.
        file: String,
        /// Line, column and reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value that breaks a rule.
    #[error("`{file}`: {problem}")]
    Invalid {
        /// The file, as the caller named it.
        file: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl ManifestError {
    pub(crate) fn invalid(file: &str, problem: impl Into<String>) -> Self {
        Self::Invalid { file: file.to_owned(), problem: problem.into() }
    }
}

/// Parses one TOML text into a raw, unvalidated structure.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(
    file: &str,
    text: &str,
) -> Result<T, ManifestError> {
    toml::from_str(text)
        .map_err(|source| ManifestError::Parse { file: file.to_owned(), source: Box::new(source) })
}
