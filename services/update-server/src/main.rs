//! The program: reads flags, environment and file, starts the server, ends it in good order.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::Context as _;
use camino::Utf8PathBuf;
use clap::{Arg, ArgMatches, Command};
use slipway_update_server::{
    app::App,
    chain,
    checks::Engine,
    clock::Clock,
    config::{self, Authentication, Config, LogFormat, SETTINGS, Setting},
    http::{self, Door},
    ids::UserName,
    ops, releases,
    store::{By, NewToken, Role, Scope, Store},
    syncer,
    tls::{self, Certificate},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

fn main() -> ExitCode {
    let matches = command().get_matches();
    let done = match matches.subcommand() {
        Some(("serve", matches)) => with_runtime(matches, serve),
        Some(("backup", matches)) => with_runtime(matches, backup),
        Some(("create-admin", matches)) => with_runtime(matches, create_admin),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {}", chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("A TOML file with any of the settings");
    let settings = |command: Command| {
        SETTINGS.iter().fold(command.arg(file.clone()), |command, setting| {
            let default = if setting.default.is_empty() { "nothing" } else { setting.default };
            let help =
                format!("{} [variable: {}] [default: {default}]", setting.help, setting.variable());
            command.arg(Arg::new(setting.key).long(setting.key).value_name("VALUE").help(help))
        })
    };
    let path = Arg::new("file").required(true).help("The file to write; it must not exist");
    let name = Arg::new("name").required(true).help("The name of the user");
    Command::new("slipway-update-server")
        .about("Serve updates to machines that speak Omaha, and an API and pages to people")
        .subcommand_required(true)
        .subcommand(settings(Command::new("serve").about("Serve until SIGTERM or SIGINT")))
        .subcommand(settings(
            Command::new("backup").about("Copy a SQLite database while it is served").arg(path),
        ))
        .subcommand(settings(
            Command::new("create-admin")
                .about("Add a user who may do everything, and print a token")
                .arg(name),
        ))
}

fn with_runtime<F: Future<Output = anyhow::Result<()>>>(
    matches: &ArgMatches,
    run: impl FnOnce(Config, ArgMatches) -> F,
) -> anyhow::Result<()> {
    let config = configuration(matches)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let done = runtime.block_on(run(config, matches.clone()));
    // What did not end by now has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// Flags win over variables, variables over the file, the file over defaults.
fn configuration(matches: &ArgMatches) -> anyhow::Result<Config> {
    let file = match matches.get_one::<String>("config") {
        Some(path) => config::read_file(&fs_err::read_to_string(path)?)?,
        None => BTreeMap::new(),
    };
    let value = |setting: &Setting| {
        let flag = matches.get_one::<String>(setting.key).cloned();
        flag.or_else(|| variable(&setting.variable())).or_else(|| file.get(setting.key).cloned())
    };
    Ok(Config::new(value)?)
}

#[expect(clippy::disallowed_methods, reason = "the program reads the environment and passes it on")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::print_stderr, reason = "the program speaks to people here")]
fn complain(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "the program's output")]
fn say(text: &str) {
    println!("{text}");
}

fn log(config: &Config) {
    let logs =
        tracing_subscriber::fmt().with_max_level(config.log_level).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => logs.with_ansi(false).init(),
        LogFormat::Json => logs.json().init(),
    }
}

async fn serve(mut config: Config, _: ArgMatches) -> anyhow::Result<()> {
    log(&config);
    let clock = match config.clock_speed {
        1 => Clock::new(jiff::Timestamp::now),
        speed => Clock::fast(jiff::Timestamp::now(), speed),
    };
    let store = Store::open(&config.database_url, config.connections).await?;
    config.authentication = config.decided(store.has_users().await?);
    if config.authentication == Authentication::Off {
        tracing::warn!("authentication is off: whoever reaches this address may do everything");
    }
    if let Some(sync) = &config.sync {
        // What cannot be used is said now, and not when there is a version to verify.
        sync.key().context("`sync-key` cannot be used")?;
    }
    let (door, certificate) = door(&mut config).await?;
    let address = format!("{}://{}", config.scheme(), config.listen);
    let (stops, stopped) = mpsc::unbounded_channel();
    let (engine, writing) = Engine::start(store.clone(), clock.clone(), stops.clone());
    let (end, ending) = watch::channel(false);
    let deadline = Duration::from_secs(config.shutdown_seconds);
    let app = App::new(store.clone(), engine, config, clock, ending);
    let mut tasks = JoinSet::new();
    tasks.spawn(ops::sweep_often(app.clone(), stops));
    tasks.spawn(ops::forget_old(app.clone()));
    tasks.spawn(ops::checkpoint_often(app.clone()));
    tasks.spawn(import_often(app.clone()));
    tasks.spawn(syncer::sync_often(app.clone()));
    tasks.spawn(ops::tell_webhook(app.clone(), stopped));
    if let Some(certificate) = certificate {
        use tokio::signal::unix::{SignalKind, signal};
        let hangups = signal(SignalKind::hangup()).context("cannot hear SIGHUP")?;
        tasks.spawn(tls::keep_fresh(app.clone(), certificate, hangups));
    }
    say(&format!("listening on {address}"));
    let mut server = tokio::spawn(http::serve(door, app));
    tokio::select! {
        () = signal() => tracing::info!("ending; a second signal ends at once"),
        ended = &mut server => { ended.context("the server failed")?.context("the server failed")?; }
    }
    end.send_replace(true);
    tokio::select! {
        _ = &mut server => {}
        () = tokio::time::sleep(deadline) => tracing::warn!("requests did not end in time"),
        () = signal() => tracing::warn!("ending at once"),
    }
    server.abort();
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    // The engine ends what it has begun once nobody can ask it any more.
    drop(tokio::time::timeout(deadline, writing).await);
    store.close().await;
    Ok(())
}

/// Opens the socket, and says in the configuration where it is; the certificate, if there is one.
async fn door(config: &mut Config) -> anyhow::Result<(Door, Option<Certificate>)> {
    let certificate = match config.tls.clone() {
        Some(files) => Some(Certificate::read(files).await?),
        None => None,
    };
    let socket = tokio::net::TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    config.listen = socket.local_addr().context("cannot say where the server listens")?;
    let door = match &certificate {
        Some(certificate) => Door::Tls(certificate.listen(socket)?),
        None => Door::Plain(socket),
    };
    Ok((door, certificate))
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Looks at the repository of releases again and again, until the server ends.
async fn import_often(app: App) {
    let (Some(folder), Some(root)) = (&app.config.releases, &app.config.root) else { return };
    let mut ticks = app.ticks(Duration::from_secs(app.config.release_interval));
    while ticks.next().await.is_some() {
        let by = By::system(app.clock.now());
        match releases::import(&app.store, &by, folder, root, &app.config.memory).await {
            Ok(done) if done == releases::Imported::default() => {}
            Ok(done) => tracing::info!(
                packages = done.packages,
                channels = done.channels,
                "imported releases"
            ),
            Err(error) => {
                tracing::error!(error = %chain(&error), "cannot import releases; what was imported stays");
            }
        }
    }
}

async fn backup(config: Config, matches: ArgMatches) -> anyhow::Result<()> {
    let path: Utf8PathBuf = matches.get_one::<String>("file").cloned().unwrap_or_default().into();
    let store = Store::open(&config.database_url, config.connections).await?;
    store.backup(&path).await?;
    store.close().await;
    Ok(())
}

async fn create_admin(config: Config, matches: ArgMatches) -> anyhow::Result<()> {
    let name: UserName = matches.get_one::<String>("name").cloned().unwrap_or_default().parse()?;
    let store = Store::open(&config.database_url, config.connections).await?;
    let by = By::system(jiff::Timestamp::now());
    let key = store.create_user(&by, &name, Role::Admin).await?;
    let scopes = vec![Scope::Read, Scope::Write, Scope::Admin];
    let new = NewToken { user: name, label: "create-admin".to_owned(), scopes, expires_at: None };
    let (_, secret) = store.create_token(&by, &new).await?;
    store.close().await;
    say(&format!("token {secret}\nhawk-key {key}"));
    Ok(())
}
