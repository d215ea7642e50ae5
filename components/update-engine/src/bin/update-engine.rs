//! The daemon, and what units ask of it: `update-engine`, `update-engine health`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use slipway_update_engine::{
    Agent, AgentError, Bus, Config, DirEsp, Files, Folders, Host, MemoryFile, Sources, Verdict,
    check_health, is_on_trial, serve, ukis,
};

/// Update this machine as a whole, in the background
#[derive(Parser)]
#[command(name = "update-engine", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The folder of what survives a reboot
    #[arg(long, default_value = "/var/lib/update-engine")]
    state: PathBuf,
    /// The folder of what does not
    #[arg(long, default_value = "/run/update-engine")]
    run: PathBuf,
    /// Read the machine and its configuration below this folder
    #[arg(long, default_value = "/")]
    root: PathBuf,
    /// Take the session bus instead of the system's, for tests
    #[arg(long)]
    session: bool,
    /// Stay in the foreground, as it always does; the ancestors' flag
    #[arg(long)]
    foreground: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Say whether this boot is a good one; reboot if it is not and the version is on trial
    Health {
        /// Only say it
        #[arg(long)]
        no_reboot: bool,
    },
    /// Reboot if the version is still on trial: for a timer that ends the wait for a boot to become good
    Deadline,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.verb {
        None => daemon(&arguments).await,
        Some(Verb::Health { no_reboot }) => health(&arguments, no_reboot).await,
        Some(Verb::Deadline) => deadline(&arguments).await,
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {}", error.chain()));
            ExitCode::FAILURE
        }
    }
}

async fn daemon(arguments: &Arguments) -> Result<ExitCode, AgentError> {
    let config = Config::of(&Sources::read(&arguments.root)?)?;
    let host = Host::read(&arguments.root)?;
    let disk = match &config.disk {
        Some(disk) => disk.clone(),
        None => host.disk(&arguments.root)?,
    };
    let hardware = Files { disk, esp: config.esp.clone() };
    let folders = Folders { state: arguments.state.clone(), run: arguments.run.clone() };
    let agent = Agent::open(config, host, folders, Box::new(hardware))?;
    let mut reports = agent.reports();
    let (handle, life) = serve(agent, now);
    // In a task of its own: it blocks while it writes, and people who ask are answered meanwhile.
    let mut life = tokio::spawn(life);
    let bus = match arguments.session {
        true => zbus::connection::Builder::session(),
        false => zbus::connection::Builder::system(),
    };
    let bus = async { Bus::serve(handle, bus?).await };
    let log = async move {
        let mut last = None;
        loop {
            let status = reports.borrow_and_update().status.clone();
            if last != Some(status.stage()) {
                say(&format!("{status:?}"));
                last = Some(status.stage());
            }
            if reports.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = &mut life => {}
        () = log => {}
        result = bus => if let Err(error) = result {
            // Without the bus nobody can ask, so the unit is started again.
            say(&format!("error: the bus: {error}"));
            return Ok(ExitCode::FAILURE);
        },
        () = terminated() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Until somebody asks the daemon to end. An installation that is cut by it is resumed.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

async fn health(arguments: &Arguments, no_reboot: bool) -> Result<ExitCode, AgentError> {
    let config = Config::of(&Sources::read(&arguments.root)?)?;
    let memory = MemoryFile::new(&arguments.state).load()?;
    let verdict = check_health(&config, &memory, &arguments.root).await;
    let findings: Vec<String> = match verdict {
        Ok(Verdict::Good) => return Ok(ExitCode::SUCCESS),
        Ok(Verdict::Bad(findings)) => findings.into_iter().map(|finding| finding.0).collect(),
        Err(error) => vec![error.to_string()],
    };
    for finding in findings {
        say(&format!("not healthy: {finding}"));
    }
    if on_trial(arguments, &config)? && !no_reboot {
        reboot().await;
    }
    Ok(ExitCode::FAILURE)
}

async fn deadline(arguments: &Arguments) -> Result<ExitCode, AgentError> {
    let config = Config::of(&Sources::read(&arguments.root)?)?;
    if on_trial(arguments, &config)? {
        say("this boot did not become a good one");
        reboot().await;
    }
    Ok(ExitCode::SUCCESS)
}

fn on_trial(arguments: &Arguments, config: &Config) -> Result<bool, AgentError> {
    let host = Host::read(&arguments.root)?;
    let mut esp = DirEsp::open(Path::new(&config.esp)).map_err(AgentError::Hardware)?;
    Ok(is_on_trial(host.running.version, &ukis(&mut esp)?))
}

#[expect(clippy::disallowed_methods, reason = "the reboot is the service manager's")]
async fn reboot() {
    say("this version is on trial: rebooting, so that the boot loader takes the next one");
    // Time for the journal and for a person who watches.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let result = tokio::process::Command::new("systemctl").args(["--no-block", "reboot"]).status();
    if let Err(error) = result.await {
        say(&format!("error: cannot reboot: {error}"));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the program's rim: the library takes the time as a value"
)]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}

#[expect(clippy::print_stderr, reason = "the journal takes what a service prints")]
fn say(text: &str) {
    eprintln!("{text}");
}
