//! `ci/NAME.toml`: the stages of a pipeline.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use camino::{Utf8Component, Utf8PathBuf};
use serde::Deserialize;

use crate::CiError;

/// A program that steps may run. Everything else belongs into a verb of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Our own command line.
    Xtask,
    /// Cargo.
    Cargo,
}

/// A program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The program.
    pub program: Program,
    /// Its arguments.
    pub args: Vec<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.program {
            Program::Xtask => "cargo xtask",
            Program::Cargo => "cargo",
        })?;
        self.args.iter().try_for_each(|arg| write!(f, " {arg}"))
    }
}

/// When a stage that was done is done again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// When its inputs, its steps or the stages before it have changed.
    #[default]
    Changed,
    /// Always: what it does is outside, where others change things too.
    Always,
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// What it runs, one after the other.
    pub steps: Vec<Step>,
    /// Files and folders of the repository that it depends on.
    pub inputs: Vec<Utf8PathBuf>,
    /// Files and folders that it makes.
    pub outputs: Vec<Utf8PathBuf>,
    /// When it is done again.
    pub repeat: Repeat,
}

/// A pipeline whose parameters have values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// The stages in their order.
    pub stages: Vec<Stage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPipeline {
    description: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    stage: Vec<RawStage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStage {
    name: String,
    steps: Vec<Vec<String>>,
    #[serde(default)]
    inputs: Vec<Utf8PathBuf>,
    #[serde(default)]
    outputs: Vec<Utf8PathBuf>,
    #[serde(default)]
    repeat: Repeat,
}

impl Pipeline {
    /// Parses and validates the text of a pipeline, and fills its parameters in; `file` is how errors call it.
    ///
    /// # Errors
    /// When it is no TOML of this form, breaks a rule, or a parameter is unknown or has no value.
    pub fn parse(
        name: &str,
        file: &str,
        text: &str,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, CiError> {
        let raw: RawPipeline = toml::from_str(text)
            .map_err(|source| CiError::Parse { file: file.to_owned(), source: Box::new(source) })?;
        let mut parameters = raw.parameters;
        for (name, value) in given {
            if !parameters.contains_key(name) {
                let known: Vec<&str> = parameters.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(CiError::NoParameter { name: name.clone(), known });
            }
            parameters.insert(name.clone(), value.clone());
        }
        let mut names = BTreeSet::new();
        let mut stages = Vec::new();
        for raw in raw.stage {
            if !names.insert(raw.name.clone()) {
                return Err(invalid(file, format!("there are two stages `{}`", raw.name)));
            }
            stages.push(stage(file, raw, &parameters)?);
        }
        Ok(Self { name: name.to_owned(), description: raw.description, stages })
    }
}

fn invalid(file: &str, problem: String) -> CiError {
    CiError::Invalid { file: file.to_owned(), problem }
}

fn stage(
    file: &str,
    raw: RawStage,
    parameters: &BTreeMap<String, String>,
) -> Result<Stage, CiError> {
    let name = raw.name;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        let problem = format!("`{name}` is no name of a stage: lower-case letters, digits and `-`");
        return Err(invalid(file, problem));
    }
    if raw.steps.is_empty() {
        return Err(invalid(file, format!("the stage `{name}` has no steps")));
    }
    for path in raw.inputs.iter().chain(&raw.outputs) {
        let inside = |part| matches!(part, Utf8Component::Normal(_) | Utf8Component::CurDir);
        if !path.components().all(inside) {
            let problem =
                format!("the stage `{name}` names `{path}`, which is not in the repository");
            return Err(invalid(file, problem));
        }
    }
    let steps = raw.steps.into_iter().map(|words| step(file, &name, words, parameters));
    let steps = steps.collect::<Result<_, _>>()?;
    Ok(Stage { name, steps, inputs: raw.inputs, outputs: raw.outputs, repeat: raw.repeat })
}

fn step(
    file: &str,
    stage: &str,
    words: Vec<String>,
    parameters: &BTreeMap<String, String>,
) -> Result<Step, CiError> {
    let mut words = words.into_iter();
    let program = match words.next().as_deref() {
        Some("xtask") => Program::Xtask,
        Some("cargo") => Program::Cargo,
        other => {
            let other = other.unwrap_or_default();
            let problem = format!("the stage `{stage}` runs `{other}`; it can run xtask or cargo");
            return Err(invalid(file, problem));
        }
    };
    let args = words.map(|word| fill(file, &word, parameters)).collect::<Result<_, _>>()?;
    Ok(Step { program, args })
}

/// Puts the values of parameters where `${NAME}` stands. A value is never looked at again.
fn fill(file: &str, word: &str, parameters: &BTreeMap<String, String>) -> Result<String, CiError> {
    let mut filled = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| invalid(file, format!("`{word}` has a `${{` without an end")))?;
        let value = parameters.get(name).ok_or_else(|| {
            invalid(file, format!("`{word}` names no parameter of `[parameters]`"))
        })?;
        if value.is_empty() {
            return Err(CiError::NoValue { name: name.to_owned() });
        }
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn ours_are_valid() {
        let none = given(&[]);
        let release = include_str!("../release.toml");
        let release = Pipeline::parse("release", "release.toml", release, &none).unwrap();
        assert_eq!(
            release.stages[1].steps[0].to_string(),
            "cargo xtask build-image --image production"
        );
        let promote = include_str!("../promote.toml");
        let error = Pipeline::parse("promote", "promote.toml", promote, &none).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the parameter `version` has no value; `--set version=VALUE` gives one"
        );
        let given = given(&[("version", "4.2.0"), ("to", "stable")]);
        let promote = Pipeline::parse("promote", "promote.toml", promote, &given).unwrap();
        assert_eq!(
            promote.stages[1].steps[0].to_string(),
            "cargo xtask promote --from alpha --to stable 4.2.0"
        );
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        #[track_caller]
        fn check(stage: &str, expected: &str) {
            let text = format!("description = ''\n[parameters]\na = '${{a}}'\n[[stage]]\n{stage}");
            let error = Pipeline::parse("x", "x.toml", &text, &given(&[])).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let text = format!("{error} {}", source.unwrap_or_default());
            assert!(text.contains(expected), "{text}");
        }
        check("name = 'A'\nsteps = [['xtask']]", "`A` is no name of a stage");
        check("name = 'a'\nsteps = []", "the stage `a` has no steps");
        check("name = 'a'\nsteps = [['sh', '-c', 'x']]", "runs `sh`; it can run xtask or cargo");
        check("name = 'a'\nsteps = [[]]", "runs ``; it can run");
        check("name = 'a'\nsteps = [['xtask', '${b}']]", "`${b}` names no parameter");
        check("name = 'a'\nsteps = [['xtask', '${a']]", "without an end");
        check("name = 'a'\nsteps = [['xtask']]\ninputs = ['../x']", "not in the repository");
        check("name = 'a'\nsteps = [['xtask']]\noutputs = ['/x']", "not in the repository");
        check("name = 'a'\nsteps = [['xtask']]\nrepeat = 'never'", "never");
        check("name = 'a'\nsteps = [['xtask']]\nimage = 'x'", "image");
        let twice = "name = 'a'\nsteps = [['xtask']]\n[[stage]]\nname = 'a'\nsteps = [['xtask']]";
        check(twice, "there are two stages `a`");
    }

    #[test]
    fn values_are_words_and_nothing_else() {
        let text = "description = ''\n[parameters]\na = 'x'\n[[stage]]\nname = 'a'\n\
                    steps = [['xtask', '-${a}-${a}']]";
        let parse = |value: &str| Pipeline::parse("x", "x.toml", text, &given(&[("a", value)]));
        let args = |value: &str| parse(value).unwrap().stages[0].steps[0].args.clone();
        assert_eq!(args("b c; ${a}"), ["-b c; ${a}-b c; ${a}"]);
        let error = Pipeline::parse("x", "x.toml", text, &given(&[("b", "")])).unwrap_err();
        assert_eq!(error.to_string(), "the pipeline has no parameter `b`; it has a");
    }

    proptest::proptest! {
        /// Whatever a file says, it is an error or a pipeline.
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _either = Pipeline::parse("x", "x.toml", &text, &given(&[]));
        }

        #[test]
        fn any_word_is_filled_or_refused(word in "[${}ab ]{0,20}") {
            let parameters = given(&[("a", "1"), ("b", "")]);
            if let Ok(filled) = fill("x.toml", &word, &parameters) {
                let left = filled.contains("${a}");
                proptest::prop_assert!(!left);
            }
        }
    }
}
