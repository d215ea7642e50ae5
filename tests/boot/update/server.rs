//! The real update server, with the releases of a world.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Child,
    thread::sleep,
    time::Duration,
};

use super::world::World;
use crate::support::cargo;

/// Slipway Linux, as update servers know it.
const APP: &str = "5a1b0b6e-5c1e-4d6f-9d0a-4f2b7d3c8e11";

/// A running server. It ends with this value.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts it, and waits until it answers.
    pub(crate) fn start(world: &World) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let dir = world.releases.parent().unwrap();
        let root = world.keys.join("root.json");
        let mut cargo = cargo();
        cargo.args(["run", "--quiet", "--locked", "-p", "slipway-update-server", "--", "serve"]);
        cargo.args(["--listen", &format!("127.0.0.1:{port}"), "--release-interval", "1"]);
        cargo.args(["--database-url", &format!("sqlite:{}", dir.join("server.sqlite"))]);
        cargo.args(["--memory", dir.join("server.memory").as_str()]);
        cargo.args(["--releases", world.releases.as_str(), "--root", root.as_str()]);
        let server = Self { child: cargo.spawn().unwrap(), port };
        // The first start compiles it.
        server.wait_for("/ready", |_| true);
        server
    }

    /// Its address, as a guest with user networking sees it.
    pub(crate) fn from_guest(&self) -> String {
        format!("http://10.0.2.2:{}", self.port)
    }

    /// Waits until it has imported `version`.
    pub(crate) fn offers(&self, version: &str) {
        let packages = format!("/api/v2/apps/{APP}/packages");
        let version = format!("\"version\":\"{version}\"");
        self.wait_for(&packages, |answer| answer.contains(&version));
    }

    /// Waits until a machine has come back from so many versions.
    pub(crate) fn learns(&self, machine: &str, rollbacks: usize) {
        let history = format!("/api/v2/apps/{APP}/instances/{machine}/history");
        let code = "\"error_code\":44";
        self.wait_for(&history, |answer| answer.matches(code).count() == rollbacks);
    }

    fn wait_for(&self, path: &str, is_expected: impl Fn(&str) -> bool) {
        const TRIES: u32 = 900;
        let mut last = String::new();
        for _ in 0..TRIES {
            last = self.get(path).unwrap_or_else(|error| error.to_string());
            if last.starts_with("HTTP/1.1 200") && is_expected(&last) {
                return;
            }
            sleep(Duration::from_secs(1));
        }
        panic!("{path} of the server is not as expected:\n{last}");
    }

    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
