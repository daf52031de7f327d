//! The page in a real browser: a key signs in, a CSV that is chosen there starts a run, and it moves to completed by itself.
//!
//! Needs chromium, so it is left out of a plain `cargo test`; `make test` installs one and runs it.

use std::net::Ipv4Addr;

use luci::sandbox::{Sandbox, SandboxOptions};
use luci_engine::provider::ProvidersConfig;

use crate::support::{Browser, SystemOptions, browser, system_with};

/// A system whose providers are a sandbox, and a browser that is signed in there.
async fn signed_in() -> (crate::support::System, Sandbox, Browser) {
    let sandbox = Sandbox::start((Ipv4Addr::LOCALHOST, 0).into(), SandboxOptions::default()).await.expect("a sandbox");
    let providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
    let system = system_with(SystemOptions { providers, ..SystemOptions::default() }).await;
    let mut browser = browser().await;
    browser.open(&format!("{}/admin/pipelines", system.api.url)).await;
    browser.until("!document.querySelector('#sign-in').hidden").await;
    browser.complaints.clear();
    let sign_in = format!(
        "document.querySelector('#key').value = '{}'; document.querySelector('#sign-in').requestSubmit()",
        system.api.key
    );
    browser.eval(&sign_in).await;
    browser.until("!document.querySelector('#board').hidden").await;
    browser.until("document.querySelector('#connection').dataset.state === 'live'").await;
    (system, sandbox, browser)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn a_csv_chosen_in_the_page_runs_to_completed_before_ones_eyes() {
    let (system, sandbox, mut browser) = signed_in().await;
    let mut csv = Vec::new();
    luci::sample::csv(&mut csv, 300, 1, 7).expect("a sample");
    let csv = serde_json::to_string(&String::from_utf8(csv).unwrap_or_default()).expect("JSON");
    let choose = format!(
        "const chosen = new DataTransfer(); chosen.items.add(new File([{csv}], 'leads.csv', {{type: 'text/csv'}}));
         document.querySelector('#file').files = chosen.files; document.querySelector('#new-run').requestSubmit()"
    );
    browser.eval(&format!("(() => {{ {choose} }})()")).await;
    browser.until("/completed/i.test(document.querySelector('#runs').innerText)").await;
    let rows = browser.eval("document.querySelectorAll('#runs tr').length").await;
    assert_eq!(rows, 1, "one run, one row");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
    drop(browser);
    system.stop().await;
    sandbox.stop().await;
}
