//! `ci`: runs a pipeline of `ci/`, and goes on where the last run stopped.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use anyhow::Context as _;
use camino::Utf8PathBuf;
use slipway_ci::{Pipeline, Program, Stage, Step, plan, run};

use crate::{
    cli::Ci,
    context::Context,
    environment,
    report::{print, say},
};

/// `ci`.
pub(crate) fn ci(context: &Context, args: &Ci) -> anyhow::Result<()> {
    let root = context.project.root();
    let (name, file) = match args.pipeline.file_stem().filter(|_| args.pipeline.is_file()) {
        Some(stem) => (stem.to_owned(), args.pipeline.clone()),
        None => {
            let name = args.pipeline.to_string();
            let file = root.join("ci").join(format!("{name}.toml"));
            (name, file)
        }
    };
    let text = fs_err::read_to_string(&file)
        .with_context(|| format!("there is no pipeline `{}`", args.pipeline))?;
    let given: BTreeMap<String, String> = args.set.iter().cloned().collect();
    let pipeline = Pipeline::parse(&name, file.as_str(), &text, &given)?;
    let records = match &args.records {
        Some(records) => Utf8PathBuf::try_from(std::path::absolute(records)?)?,
        None => context.cache.join("ci").join(&name),
    };
    if args.dry_run {
        for planned in plan(&pipeline, root, &records)? {
            match planned.reason {
                Some(reason) => {
                    print(format_args!("{}: {reason}", planned.stage.name));
                    planned.stage.steps.iter().for_each(|step| print(format_args!("  {step}")));
                }
                None => print(format_args!("{}: done", planned.stage.name)),
            }
        }
        return Ok(());
    }
    let mut execute = |stage: &Stage, step: &Step| start(context, stage, step);
    let done = run(&pipeline, root, &records, &environment::now, &mut execute)?;
    for record in &done {
        if context.global.json {
            print(serde_json::to_string(record)?);
        } else {
            let seconds = record.ended.saturating_sub(record.began);
            say(format_args!("{}: done, {seconds} s", record.stage));
        }
    }
    say(format_args!("what each stage did is in {records}"));
    Ok(())
}

/// Starts our own program or cargo, with the options that this one was given.
fn start(
    context: &Context,
    stage: &Stage,
    step: &Step,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    say(format_args!("{}: {step}", stage.name));
    let program = match step.program {
        Program::Xtask => Utf8PathBuf::try_from(std::env::current_exe()?)?,
        Program::Cargo => environment::get("CARGO").unwrap_or_else(|| "cargo".to_owned()).into(),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "verbs and cargo need the environment that this was started with"
    )]
    let mut command = Command::new(program);
    if step.program == Program::Xtask {
        command.args(["--repository", context.project.root().as_str()]);
    }
    // Data is for whoever asked for it: the records, which this verb prints itself.
    let command = command.args(&step.args).current_dir(context.project.root());
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status()?;
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}").into()) }
}
