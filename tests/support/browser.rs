//! A headless chromium, driven over its DevTools protocol.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::{
    servers::{on_server_thread, temp_dir},
    wait::DEADLINE,
};

/// A window and a theme.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    width: u32,
    height: u32,
    phone: bool,
    dark: bool,
}

impl Look {
    pub const LIGHT: Self = Self { width: 1440, height: 900, phone: false, dark: false };
    pub const DARK: Self = Self { dark: true, ..Self::LIGHT };
    pub const TABLET: Self = Self { width: 768, height: 1024, ..Self::DARK };
    /// Where the list of runs is a table again.
    pub const NARROW: Self = Self { width: 1024, height: 768, ..Self::LIGHT };
    pub const PHONE: Self = Self { width: 390, height: 844, phone: true, dark: false };
}

/// One tab of a browser of its own.
pub struct Browser {
    child: Child,
    tab: WebSocketStream<MaybeTlsStream<TcpStream>>,
    sent: u64,
    /// Uncaught exceptions and refused resources of the page.
    pub errors: Vec<String>,
}

/// Starts chromium with one empty tab. Fails when there is none: `make test` installs it.
pub async fn browser() -> Browser {
    // The pages' tests run in a process of their own, in which nothing else has chosen it.
    let _first_wins = rustls::crypto::ring::default_provider().install_default();
    let program = program().expect("a chromium; `deploy/setup.sh page` installs one");
    let profile = temp_dir("chromium");
    let started = tokio::task::spawn_blocking(move || start(&program, &profile)).await.expect("joined");
    let (child, port) = started;
    let new = format!("http://127.0.0.1:{port}/json/new?about:blank");
    let tab: Value = serde_json::from_str(
        &reqwest::Client::new().put(new).send().await.expect("an answer").text().await.expect("text"),
    )
    .expect("JSON");
    let (tab, _) = connect_async(tab["webSocketDebuggerUrl"].as_str().expect("an address")).await.expect("a tab");
    let mut browser = Browser { child, tab, sent: 0, errors: Vec::new() };
    for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
        browser.send(domain, json!({})).await;
    }
    browser
}

fn program() -> Option<PathBuf> {
    let path = luci::config::search().path.unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = names.iter().flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)));
    found.find(|program| program.is_file())
}

fn start(program: &Path, profile: &Path) -> (Child, u16) {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
    command.args(["--remote-debugging-port=0", "--window-size=1280,900"]);
    command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = on_server_thread(move || command.spawn().expect("it starts"));
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    // `DevTools listening on ws://127.0.0.1:PORT/devtools/browser/…`
    let port = lines.map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("ws://127.0.0.1:")?;
        rest.split('/').next()?.parse().ok()
    });
    (child, port.expect("a port"))
}

impl Browser {
    pub async fn open(&mut self, url: &str) {
        self.send("Page.navigate", json!({"url": url})).await;
        self.until("document.readyState === 'complete'").await;
    }

    /// The value of a JavaScript expression in the page.
    pub async fn eval(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.send("Runtime.evaluate", parameters).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits until a JavaScript expression is true; fails with what the page shows.
    pub async fn until(&mut self, expression: &str) {
        let end = tokio::time::Instant::now() + DEADLINE;
        while self.eval(&format!("Boolean({expression})")).await != true {
            if tokio::time::Instant::now() > end {
                let text = self.eval("document.body.innerText").await;
                panic!("not so: {expression}\n{}\n{:?}", text.as_str().unwrap_or_default(), self.errors);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Presses one key, as a person would.
    pub async fn key(&mut self, key: &str) {
        let mut press = json!({"type": "keyDown", "key": key, "code": key});
        if key.chars().count() == 1 {
            press["text"] = key.into();
        }
        if let Some(code) = [("Tab", 9), ("Enter", 13), ("Escape", 27), ("ArrowRight", 39), ("ArrowDown", 40)]
            .iter()
            .find(|(name, _)| *name == key)
        {
            press["windowsVirtualKeyCode"] = code.1.into();
        }
        if key == "Enter" {
            press["text"] = "\r".into();
        }
        self.send("Input.dispatchKeyEvent", press.clone()).await;
        press["type"] = "keyUp".into();
        self.send("Input.dispatchKeyEvent", press).await;
    }

    /// Types a text where the focus is.
    pub async fn type_text(&mut self, text: &str) {
        self.send("Input.insertText", json!({"text": text})).await;
    }

    /// Presses Tab until the focus is on what this expression of the focused `element` says.
    pub async fn tab_to(&mut self, is: &str) {
        for _ in 0..200 {
            if self.eval(&format!("((element) => Boolean({is}))(document.activeElement)")).await == true {
                return;
            }
            self.key("Tab").await;
        }
        panic!("the keyboard does not reach {is}");
    }

    /// Runs a script before those of every page that is opened from now on.
    pub async fn before_pages(&mut self, script: &str) {
        self.send("Page.addScriptToEvaluateOnNewDocument", json!({"source": script})).await;
    }

    /// Size of the window and theme of the system, without motion.
    pub async fn look(&mut self, look: Look) {
        let metrics = json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": look.phone});
        self.send("Emulation.setDeviceMetricsOverride", metrics).await;
        self.send("Emulation.setTouchEmulationEnabled", json!({"enabled": look.phone})).await;
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.send("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// Writes what the window shows as a PNG.
    pub async fn picture(&mut self, path: &Path) {
        let answer = self.send("Page.captureScreenshot", json!({"format": "png"})).await;
        let data = answer["data"].as_str().expect("a picture");
        std::fs::write(path, BASE64_STANDARD.decode(data).expect("base64")).expect("written");
    }

    /// Records what the page's threads do, until `trace_end`.
    pub async fn trace_start(&mut self) {
        let categories = "devtools.timeline,disabled-by-default-devtools.timeline.frame,blink.user_timing,v8.execute";
        self.send("Tracing.start", json!({"categories": categories, "transferMode": "ReturnAsStream"})).await;
    }

    /// Writes the trace as a file that Chromium's performance panel opens.
    pub async fn trace_end(&mut self, path: &Path) {
        self.send("Tracing.end", json!({})).await;
        let stream = loop {
            let message = self.tab.next().await.expect("the tab is open").expect("a message");
            let event: Value =
                message.to_text().ok().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            if event["method"] == "Tracing.tracingComplete" {
                break event["params"]["stream"].clone();
            }
            self.record(&event);
        };
        let mut trace = Vec::new();
        loop {
            let part = self.send("IO.read", json!({"handle": stream})).await;
            let data = part["data"].as_str().expect("data");
            match part["base64Encoded"] == true {
                true => trace.extend(BASE64_STANDARD.decode(data).expect("base64")),
                false => trace.extend_from_slice(data.as_bytes()),
            }
            if part["eof"] == true {
                break;
            }
        }
        std::fs::write(path, trace).expect("written");
    }

    async fn send(&mut self, method: &str, parameters: Value) -> Value {
        self.sent += 1;
        let message = json!({"id": self.sent, "method": method, "params": parameters}).to_string();
        self.tab.send(Message::text(message)).await.expect("sent");
        loop {
            let message = self.tab.next().await.expect("the tab is open").expect("a message");
            let Ok(text) = message.to_text() else { continue };
            let received: Value = serde_json::from_str(text).unwrap_or_default();
            if received["id"] == self.sent {
                return received["result"].clone();
            }
            self.record(&received);
        }
    }

    fn record(&mut self, event: &Value) {
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.errors.push(event["params"]["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if event["params"]["entry"]["level"] == "error" => {
                self.errors.push(event["params"]["entry"].to_string());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
