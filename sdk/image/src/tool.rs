//! A step that a program of the SDK carries out.

use std::collections::BTreeMap;

/// A script with inputs and outputs. Everything in it is part of the cache key of its action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The bash script.
    pub script: &'static str,
    /// Its arguments, `$1` onwards.
    pub args: Vec<String>,
    /// Small files that are made for it, by their names below `/in`.
    pub files: BTreeMap<String, String>,
    /// The names of the files that it leaves in `/out`.
    pub outputs: &'static [&'static str],
}

/// How an input of a [`Tool`] is shown to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolInput {
    /// As the file `/in/<name>`.
    File,
    /// Unpacked, as the folder `/in/<name>`.
    Tree,
}
