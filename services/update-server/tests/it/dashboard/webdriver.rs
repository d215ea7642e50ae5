//! A browser that does what it is told: WebDriver's protocol as far as these tests need it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
};

use base64::Engine as _;
use serde_json::{Value, json};

/// A driver's process with one session. Both end with it.
pub(crate) struct Browser {
    driver: Child,
    client: reqwest::Client,
    session: String,
    profile: tempfile::TempDir,
}

/// What the page looks like to a person with these settings.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
}

/// Where the driver is, if it is here at all.
fn driver() -> Option<&'static str> {
    ["/usr/bin/chromedriver", "/usr/local/bin/chromedriver"]
        .into_iter()
        .find(|path| Path::new(path).exists())
}

impl Browser {
    /// A browser, or nothing where there is no chromedriver and nobody insists.
    pub(crate) async fn start() -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "whoever runs the tests says what has to be here"
        )]
        let required = std::env::var_os("SLIPWAY_REQUIRE_CHROMIUM").is_some();
        let Some(driver) = driver() else {
            assert!(!required, "SLIPWAY_REQUIRE_CHROMIUM is set, but there is no chromedriver");
            #[expect(clippy::print_stdout, reason = "a test says why it is none")]
            {
                println!("skipped: no chromedriver (Debian: chromium-driver)");
            }
            return None;
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "a driver is a program of the host; it needs nothing of this one"
        )]
        let mut driver = std::process::Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap());
        let port = port(&mut lines);
        // The driver must always be able to write.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let profile = tempfile::tempdir().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut browser =
            Self { driver, client, session: format!("http://127.0.0.1:{port}/session"), profile };
        let made = browser.call("", &capabilities(browser.profile.path())).await;
        let id = made["sessionId"].as_str().unwrap().to_owned();
        browser.session = format!("{}/{id}", browser.session);
        Some(browser)
    }

    async fn call(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.session)).body(body.to_string());
        let answer = request
            .header("content-type", "application/json")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let value: Value = serde_json::from_str(&answer).unwrap();
        assert!(value["value"].get("error").is_none(), "{path} {body}: {answer}");
        value["value"].clone()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.call("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    /// Sets size and colours of what is shown from now on.
    pub(crate) async fn look_through(&self, screen: Screen) {
        let Screen { width, height, scheme } = screen;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Loads a page.
    pub(crate) async fn open(&self, address: &str) {
        self.call("/url", &json!({ "url": address })).await;
    }

    /// What a script gives back.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.call("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// What the console said since it was asked last.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.call("/se/log", &json!({ "type": "browser" })).await;
        entries
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The whole page as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let shot =
            self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    /// Ends the session, so that the browser ends by itself.
    pub(crate) async fn close(self) {
        self.client.delete(&self.session).send().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// The driver chooses a port and says which.
fn port(lines: &mut impl BufRead) -> u16 {
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if let Some((_, rest)) = line.split_once("started successfully on port ") {
            return rest.trim().trim_end_matches('.').parse().unwrap();
        }
        line.clear();
    }
    panic!("chromedriver ended without saying its port");
}

fn capabilities(profile: &Path) -> Value {
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": { "args": arguments },
    } } })
}
