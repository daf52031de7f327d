//! The dashboard in a real browser, against a whole system with sandbox providers.
//!
//! Needs chromium and the built dashboard, so it is left out of a plain `cargo test`; `make test` installs and builds both.

mod connection;
mod detail;
mod fold;
mod keyboard;
mod list;
mod looks;
mod messy;
mod restarts;
mod run;
mod uploads;

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use luci_providers::ProvidersConfig;
use luci_sandbox::{Sandbox, SandboxOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Api, Browser, System, SystemOptions, browser, system_with};

/// The dashboard's source folder.
fn dashboard() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("gateway/dashboard")
}

/// Types into a field as React hears it.
async fn fill(browser: &mut Browser, selector: &str, text: &str) {
    let script = format!(
        "(() => {{ const field = document.querySelector({selector:?});
           const set = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), 'value').set;
           set.call(field, {}); field.dispatchEvent(new Event('input', {{bubbles: true}}));
           field.dispatchEvent(new Event('change', {{bubbles: true}})) }})()",
        json!(text)
    );
    browser.eval(&script).await;
}

async fn sign_in(browser: &mut Browser, key: &str) {
    browser.until("document.querySelector('#sign-in')").await;
    // The browser reports the refused request of the session that is not open yet.
    browser.errors.clear();
    fill(browser, "#key", key).await;
    browser.eval("document.querySelector('#sign-in').requestSubmit()").await;
    browser.until("document.querySelector('#board')").await;
}

/// An import of sample leads and a run on it; its id.
async fn start(api: &Api, leads: u64, options: Value) -> String {
    let mut csv = Vec::new();
    luci::cli::demo::sample::csv(&mut csv, leads, 1, 7).expect("a sample");
    let request = api.request(Method::POST, "/api/imports?fileName=sample.csv");
    let answer = request.header("content-type", "text/csv").body(csv).send().await.expect("an answer");
    let imported: Value = answer.json().await.expect("JSON");
    let body = json!({"importId": imported["importId"], "options": options, "allowRepeat": true});
    let (status, run) = api.post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{run}");
    run["runId"].as_str().expect("an id").to_owned()
}

/// A system with sandbox providers, and a browser that is signed in.
pub(crate) struct Page {
    pub system: System,
    sandbox: Sandbox,
    pub browser: Browser,
}

impl Page {
    pub async fn signed_in() -> Self {
        let mut page = Self::opened(browser().await).await;
        page.sign_in().await;
        page.browser.until("document.querySelector('#connection')?.dataset.state === 'live'").await;
        page
    }

    /// The sign-in is shown.
    async fn opened(mut browser: Browser) -> Self {
        let built = dashboard().join("dist/app/index.html");
        assert!(built.is_file(), "{} is missing: `make dashboard` builds it", built.display());
        let sandbox =
            Sandbox::start((Ipv4Addr::LOCALHOST, 0).into(), SandboxOptions::default()).await.expect("a sandbox");
        let providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
        let seal_every = Duration::from_secs(1);
        let system = system_with(SystemOptions { providers, seal_every, ..SystemOptions::default() }).await;
        browser.open(&format!("{}/admin/pipelines", system.api.url)).await;
        browser.until("document.querySelector('#sign-in')").await;
        Self { system, sandbox, browser }
    }

    async fn sign_in(&mut self) {
        sign_in(&mut self.browser, &self.system.api.key).await;
    }

    async fn fill(&mut self, selector: &str, text: &str) {
        fill(&mut self.browser, selector, text).await;
    }

    /// Clicks the first element of the selector, once there is one that is not disabled.
    async fn click(&mut self, selector: &str) {
        self.browser
            .until(&format!("document.querySelector({selector:?}) && !document.querySelector({selector:?}).disabled"))
            .await;
        self.browser.eval(&format!("document.querySelector({selector:?}).click()")).await;
    }

    /// Clicks the button, tab or menu item whose text begins so.
    async fn click_text(&mut self, text: &str) {
        let find = format!(
            "[...document.querySelectorAll('button, [role=tab], [role=menuitem], a')]
               .find((one) => one.innerText.trim().startsWith({text:?}) && !one.disabled)"
        );
        self.browser.until(&find).await;
        let press = format!(
            "(() => {{ const one = {find}; one.dispatchEvent(new MouseEvent('mousedown', {{bubbles: true, button: 0}}));
               one.focus(); one.click() }})()"
        );
        self.browser.eval(&press).await;
    }

    /// Chooses a file in the dialog of a new run.
    async fn choose(&mut self, name: &str, csv: &str) {
        self.click("#start").await;
        self.choose_file(name, csv).await;
    }

    /// Gives a file to the dialog that is open.
    async fn choose_file(&mut self, name: &str, csv: &str) {
        self.browser.until("document.querySelector('#file')").await;
        let script = format!(
            "(() => {{ const chosen = new DataTransfer();
               chosen.items.add(new File([{}], {name:?}, {{type: 'text/csv'}}));
               const file = document.querySelector('#file'); file.files = chosen.files;
               file.dispatchEvent(new Event('change', {{bubbles: true}})) }})()",
            json!(csv)
        );
        self.browser.eval(&script).await;
    }

    /// Opens a page of the dashboard and waits for its heading.
    pub async fn open(&mut self, path: &str) {
        self.browser.open(&format!("{}/admin/{path}", self.system.api.url)).await;
        self.browser.until("document.querySelector('main h1') && !document.querySelector('[aria-busy=true]')").await;
    }

    pub async fn start(&self, leads: u64, options: Value) -> String {
        start(&self.system.api, leads, options).await
    }

    /// Asserts that axe finds nothing, nothing scrolls sideways, and the browser reported no error.
    async fn assert_sound(&mut self, what: &str) {
        let path = dashboard().join("node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(&path).expect("axe-core; `make dashboard` installs it");
        self.browser.eval(&format!("{axe}; 0")).await;
        let rules = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}";
        let found = self
            .browser
            .eval(&format!(
                "axe.run(document, {rules}).then((r) => r.violations.map((v) =>
                   `${{v.id}}: ${{v.nodes.map((n) => n.target + ' ' + (n.any[0]?.message ?? '')).slice(0, 3).join(' | ')}}`))"
            ))
            .await;
        assert_eq!(found, json!([]), "axe on {what}");
        let sideways =
            self.browser.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        assert!(sideways.as_i64().is_some_and(|pixels| pixels <= 0), "{what} scrolls sideways by {sideways}");
        assert!(self.browser.errors.is_empty(), "{what}: {:?}", self.browser.errors);
    }

    pub async fn stop(self) {
        drop(self.browser);
        self.system.stop().await;
        self.sandbox.stop().await;
    }
}
