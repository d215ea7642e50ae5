//! Whether a boot is a good one. Until `boot-complete.target` is reached, the boot loader counts this version's tries.
//!
//! When unsure it says no while the version is on trial, because the machine then falls back to one that worked; later it only tells.

use std::{
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    config::{Config, NetworkCheck},
    fetch::Fetcher,
    memory::Memory,
};

/// How long one check may take.
const EACH: Duration = Duration::from_secs(60);

/// How often the server is tried, and the pause between two tries: a lease may take its time.
const REACH: Reach = Reach { tries: 12, pause: Duration::from_secs(5) };

#[derive(Clone, Copy)]
struct Reach {
    tries: u32,
    pause: Duration,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding(pub String);

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Good,
    /// Something is not.
    Bad(Vec<Finding>),
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The folder of checks.
    #[error("the checks of /etc/slipway/health.d cannot be listed")]
    Folder(#[source] io::Error),
}

/// Runs all checks: required units, every program of `/etc/slipway/health.d` in the order of names, and the way to the server if it
/// was there in the version before.
///
/// # Errors
/// When the checks cannot be listed.
pub async fn check_health(
    config: &Config,
    memory: &Memory,
    root: &Path,
) -> Result<Verdict, HealthError> {
    check_with(config, memory, root, REACH).await
}

async fn check_with(
    config: &Config,
    memory: &Memory,
    root: &Path,
    reach: Reach,
) -> Result<Verdict, HealthError> {
    let mut findings = Vec::new();
    for unit in &config.required_units {
        let systemctl = Path::new("systemctl");
        if let Err(problem) = run(systemctl, &["--quiet", "is-active", "--", unit]).await {
            findings.push(Finding(format!("the unit `{unit}` is not active: {problem}")));
        }
    }
    for program in programs(&root.join("etc/slipway/health.d"))? {
        if let Err(problem) = run(&program, &[]).await {
            findings.push(Finding(format!("`{}` {problem}", program.display())));
        }
    }
    if config.network == NetworkCheck::IfSeen
        && memory.network_seen
        && let Some(finding) = server(config, reach).await
    {
        findings.push(finding);
    }
    Ok(if findings.is_empty() { Verdict::Good } else { Verdict::Bad(findings) })
}

fn programs(folder: &Path) -> Result<Vec<PathBuf>, HealthError> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HealthError::Folder(error)),
    };
    let mut programs = Vec::new();
    for entry in entries {
        let path = entry.map_err(HealthError::Folder)?.path();
        let metadata = fs_err::metadata(&path).map_err(HealthError::Folder)?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            programs.push(path);
        }
    }
    programs.sort();
    Ok(programs)
}

#[expect(
    clippy::disallowed_methods,
    reason = "checks of the machine's owner run as they would run from a unit: with its environment"
)]
async fn run(program: &Path, args: &[&str]) -> Result<(), String> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(EACH, command.status()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("ended with {status}")),
        Ok(Err(error)) => Err(format!("cannot be run: {error}")),
        Err(_) => Err(format!("took longer than {} seconds", EACH.as_secs())),
    }
}

async fn server(config: &Config, reach: Reach) -> Option<Finding> {
    let server = config.server.clone()?;
    let Ok(fetcher) = Fetcher::new(config) else { return None };
    let mut problem = String::new();
    for attempt in 0..reach.tries {
        if attempt > 0 {
            tokio::time::sleep(reach.pause).await;
        }
        match fetcher.reach(server.clone()).await {
            Ok(()) => return None,
            Err(error) => problem = error.to_string(),
        }
    }
    Some(Finding(format!("the update server was reachable before, and is not now: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, Text};

    fn config(text: &str) -> Config {
        let text = Text { path: "a.toml".into(), text: text.to_owned() };
        Config::of(&Sources { local: vec![text], ..Sources::default() }).unwrap()
    }

    fn machine(checks: &[(&str, &str, u32)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/slipway/health.d");
        fs_err::create_dir_all(&folder).unwrap();
        for (name, text, mode) in checks {
            fs_err::write(folder.join(name), text).unwrap();
            let mode = std::fs::Permissions::from_mode(*mode);
            fs_err::set_permissions(folder.join(name), mode).unwrap();
        }
        root
    }

    #[tokio::test]
    async fn every_program_has_to_say_yes() {
        let root = machine(&[
            ("10-good", "#!/bin/sh\nexit 0\n", 0o755),
            ("20-bad", "#!/bin/sh\nexit 3\n", 0o755),
            ("README", "text", 0o644),
        ]);
        let verdict = check_health(&config(""), &Memory::default(), root.path()).await.unwrap();
        let Verdict::Bad(findings) = verdict else { panic!("{verdict:?}") };
        assert_eq!(findings.len(), 1);
        assert!(findings[0].0.ends_with("20-bad` ended with exit status: 3"), "{findings:?}");
    }

    #[tokio::test]
    async fn nothing_to_check_is_good() {
        let root = tempfile::tempdir().unwrap();
        let config = config("server = \"http://127.0.0.1:1\"");
        // The server was never seen: it says nothing about this version that it is not there.
        let verdict = check_health(&config, &Memory::default(), root.path()).await.unwrap();
        assert_eq!(verdict, Verdict::Good);
    }

    #[tokio::test]
    async fn a_server_that_was_there_has_to_be_there() {
        let root = tempfile::tempdir().unwrap();
        let memory = Memory { network_seen: true, ..Memory::default() };
        let with = |text: &str| config(&format!("server = \"http://127.0.0.1:1\"\n{text}"));
        let reach = Reach { tries: 2, pause: Duration::ZERO };
        let verdict = check_with(&with(""), &memory, root.path(), reach).await.unwrap();
        assert!(matches!(verdict, Verdict::Bad(_)));
        let never = with("network_required = \"never\"");
        assert_eq!(check_health(&never, &memory, root.path()).await.unwrap(), Verdict::Good);
    }
}
