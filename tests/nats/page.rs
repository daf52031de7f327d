//! The page of `deploy/docs/nats/page` shows a real run in a real browser, from NATS alone.

use std::path::PathBuf;

use serde_json::json;

use super::credential;
use crate::{
    gateway::fixture::{start, whole},
    support::browser,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and npm; make test runs it"]
async fn a_page_shows_runs_live_from_nats() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/docs/nats/page");
    assert!(folder.join("page.bundle.js").is_file(), "the page is not bundled: deploy/docs/nats/install.sh");
    let (system, _sandbox) = whole().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(warp::serve(warp::fs::dir(folder)).incoming(listener).run());
    let mut browser = browser().await;
    browser.open(&format!("http://{address}/index.html")).await;
    let credential = credential(&system.api).await;
    let connect = format!(
        "document.querySelector('#credential').value = {}; document.querySelector('#connect').requestSubmit()",
        json!(credential.to_string())
    );
    browser.eval(&connect).await;
    browser.until("document.querySelector('#state').textContent === 'live'").await;
    let (run, _) = start(&system.api, 60).await;
    browser.until(&format!("document.querySelector('tr[data-run={run}][data-status=completed]')")).await;
    let cells = format!("[...document.querySelector('tr[data-run={run}]').cells].map((cell) => cell.textContent)");
    let cells = browser.eval(&cells).await;
    let detail = system.api.run_ended(&run).await;
    let shown = |at: usize| cells[at].as_str().unwrap_or_default().to_owned();
    assert_eq!((shown(1), shown(3)), ("completed".to_owned(), "100 %".to_owned()), "{cells}");
    assert_eq!(shown(5), detail["run"]["version"].to_string(), "{cells}");
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}
