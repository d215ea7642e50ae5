//! The program: hands arguments, environment, clock and streams to the library.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use slipway_updatectl::{Environment, Streams, run};

#[expect(clippy::disallowed_methods, reason = "only the program reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "only the program reads the clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[tokio::main]
async fn main() -> ExitCode {
    let environment = Environment {
        server: variable("UPDATECTL_SERVER"),
        user: variable("UPDATECTL_USER"),
        key: variable("UPDATECTL_KEY"),
        token: variable("UPDATECTL_TOKEN"),
        now,
    };
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let mut streams = Streams::new(&mut out, &mut err);
    let exit = run(std::env::args_os().collect(), &environment, &mut streams).await;
    // A reader that went away has seen what it wanted.
    let _closed = io::stdout().flush();
    ExitCode::from(exit.code())
}
