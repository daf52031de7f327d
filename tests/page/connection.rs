//! The badge tells the truth: polling without a socket, offline without a server.

use serde_json::json;

use super::Page;
use crate::support::browser;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn without_a_socket_the_page_polls_and_without_a_server_it_says_so() {
    let mut browser = browser().await;
    // As behind a proxy that refuses WebSockets.
    browser
        .before_pages("window.WebSocket = class { constructor() { setTimeout(() => this.onclose?.(), 10) } close() {} send() {} }")
        .await;
    let mut page = Page::opened(browser).await;
    page.sign_in().await;
    let state = "document.querySelector('#connection')?.dataset.state";
    page.browser.until(&format!("{state} === 'polling'")).await;
    let run = page.start(50, json!({})).await;
    page.browser.until(&format!("document.querySelector('[data-run={run}] [data-state-of=completed]')")).await;
    let text = page.browser.eval("document.querySelector('#connection').innerText").await;
    assert_eq!(text, "Polling every 5 s");

    let Page { system, sandbox, mut browser } = page;
    system.stop().await;
    sandbox.stop().await;
    browser.until(&format!("{state} === 'offline'")).await;
    let text = browser.eval("document.querySelector('#connection').innerText").await;
    assert!(text.as_str().is_some_and(|text| text.starts_with("Offline since ")), "{text}");
    // What was known stays on the page.
    let rows = browser.eval("document.querySelectorAll('#runs tr[data-run]').length").await;
    assert_eq!(rows, 1);
}
