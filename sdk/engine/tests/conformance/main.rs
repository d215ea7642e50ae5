//! One suite of promises, kept by both engines.
//!
//! The Docker half runs when a daemon answers and the embedded half when the tests run as root. Otherwise they are
//! skipped and say so, unless `SLIPWAY_REQUIRE_DOCKER=1` or `SLIPWAY_REQUIRE_ROOT=1` makes that a failure. This is a
//! program without the usual harness, because it is also the child that the engines execute again.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "this is a test with a harness of its own"
)]

mod bench;
mod promises;
mod rootfs;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use slipway_engine::{
    AutoConfig, ChildProgram, Choice, DockerConfig, DockerEndpoint, EmbeddedConfig, Stdio, auto,
    embedded_child_main,
};

use self::bench::Bench;

/// The first argument of the process that a test kills.
const VICTIM: &str = "victim";
/// How long a container may take to end by itself: well above what a busy machine needs.
const GRACE: Duration = Duration::from_secs(4);
/// The first argument of the process that lends its terminal.
const SHELL: &str = "shell";

fn main() -> ExitCode {
    if let Some(code) = embedded_child_main() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let [role @ (VICTIM | SHELL), engine, dir, root, script] =
        *arguments.iter().map(String::as_str).collect::<Vec<_>>()
    {
        let stdio = if role == SHELL { Stdio::Inherit } else { Stdio::Capture };
        runtime.block_on(promises::run_elsewhere(engine, dir, root, script, stdio));
        return ExitCode::SUCCESS;
    }
    run(&runtime, &arguments)
}

fn run(runtime: &tokio::runtime::Runtime, arguments: &[String]) -> ExitCode {
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| {
        let matches = |filter: &&String| {
            if exact { name == filter.as_str() } else { name.contains(filter.as_str()) }
        };
        filters.is_empty() || filters.iter().any(matches)
    };
    if arguments.iter().any(|argument| argument == "--list") {
        let ignored = arguments.iter().any(|argument| argument == "--ignored");
        let names = promises::ALL
            .iter()
            .flat_map(|(name, _)| [format!("docker::{name}"), format!("embedded::{name}")]);
        names.filter(|_| !ignored).for_each(|name| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = Utf8PathBuf::from_path_buf(place.path().to_owned()).unwrap();
    let root = rootfs::build(&dir);
    let (mut passed, mut failed) = (0, Vec::new());
    for choice in [Choice::Docker, Choice::Embedded] {
        let name = engine_name(choice);
        let selected =
            promises::ALL.iter().filter(|(promise, _)| wanted(&format!("{name}::{promise}")));
        let selected: Vec<_> = selected.collect();
        if selected.is_empty() {
            continue;
        }
        let engine = match runtime.block_on(auto(choice, config(&dir))) {
            Ok(engine) => engine,
            Err(error) if required(choice) => {
                println!("test {name} ... FAILED: {error}");
                failed.push(name.to_owned());
                continue;
            }
            Err(error) => {
                println!("test {name} ... SKIPPED, all {} promises: {error}", selected.len());
                continue;
            }
        };
        for (promise, body) in selected {
            let bench =
                Bench { engine: engine.clone(), choice, root: root.clone(), dir: dir.clone() };
            let started = Instant::now();
            let result =
                std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(body(bench))));
            let verdict = if result.is_ok() { "ok" } else { "FAILED" };
            println!("test {name}::{promise} ... {verdict} ({:.2?})", started.elapsed());
            if result.is_ok() { passed += 1 } else { failed.push(format!("{name}::{promise}")) }
        }
    }
    println!("\nconformance: {passed} promises kept, {} broken: {failed:?}", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn engine_name(choice: Choice) -> &'static str {
    if choice == Choice::Docker { "docker" } else { "embedded" }
}

#[expect(
    clippy::disallowed_methods,
    reason = "continuous integration asks for both halves by these variables"
)]
fn required(choice: Choice) -> bool {
    let variable =
        if choice == Choice::Docker { "SLIPWAY_REQUIRE_DOCKER" } else { "SLIPWAY_REQUIRE_ROOT" };
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

/// The settings of both engines, with their scratch folders in `dir`.
fn config(dir: &Utf8PathBuf) -> AutoConfig {
    let child = ChildProgram::CurrentExe;
    AutoConfig {
        docker: DockerConfig {
            endpoint: DockerEndpoint::Local,
            scratch_dir: dir.join("scratch-docker"),
            child: child.clone(),
            grace: GRACE,
        },
        embedded: EmbeddedConfig { scratch_dir: dir.join("scratch-embedded"), child, grace: GRACE },
    }
}
