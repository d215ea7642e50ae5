//! The errors of this crate.

use camino::Utf8PathBuf;
use slipway_store::StoreError;

/// Why a pipeline cannot be read or run.
#[derive(Debug, thiserror::Error)]
pub enum CiError {
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
    /// A parameter that the pipeline does not have.
    #[error("the pipeline has no parameter `{name}`; it has {known}")]
    NoParameter {
        /// What was given.
        name: String,
        /// All that there are.
        known: String,
    },
    /// A parameter without a value.
    #[error("the parameter `{name}` has no value; `--set {name}=VALUE` gives one")]
    NoValue {
        /// The parameter.
        name: String,
    },
    /// An input that is not there.
    #[error("the stage `{stage}` names the input `{path}`, which is not there")]
    NoInput {
        /// The stage.
        stage: String,
        /// The path.
        path: Utf8PathBuf,
    },
    /// An output that a stage did not make.
    #[error("the stage `{stage}` ended without its output `{path}`")]
    NoOutput {
        /// The stage.
        stage: String,
        /// The path.
        path: Utf8PathBuf,
    },
    /// A file that cannot be listed or hashed.
    #[error("cannot take the digest of `{path}`")]
    Digest {
        /// The file or folder.
        path: Utf8PathBuf,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// A folder that cannot be read.
    #[error("cannot list `{path}`")]
    List {
        /// The folder.
        path: Utf8PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A record that cannot be written.
    #[error("cannot write the record of the stage `{stage}`")]
    Record {
        /// The stage.
        stage: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A step that failed. Those before it are done, and the next run goes on here.
    #[error("the stage `{stage}` failed at `{step}`; the next run goes on there")]
    Step {
        /// The stage.
        stage: String,
        /// What was run.
        step: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
