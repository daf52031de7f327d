//! A large file from the page: the connection goes, the page is loaded anew, and the same file continues.

use serde_json::json;

use super::Page;
use crate::support::browser;

/// Counts the parts that the page sends. Those after `localStorage.last` meet a lost connection.
const LINE: &str = "(() => {
    const { open, send } = XMLHttpRequest.prototype
    XMLHttpRequest.prototype.open = function (method, url) { this.part = method === 'PUT'; return open.call(this, method, url) }
    XMLHttpRequest.prototype.send = function (body) {
        if (this.part) {
            localStorage.puts = Number(localStorage.puts ?? 0) + 1
            if (localStorage.last && Number(localStorage.puts) > Number(localStorage.last)) return setTimeout(() => this.onerror(), 10)
        }
        return send.call(this, body)
    }
})()";

/// Chooses a file of three parts of 8 MiB.
const CHOOSE: &str = "(() => {
    const note = 'n'.repeat(20000)
    const rows = Array.from({ length: 900 }, (_, n) => `Firm ${n},(212) 555-${String(n).padStart(4, '0')},${note}\\n`)
    const chosen = new DataTransfer()
    chosen.items.add(new File(['Company,Phone,Note\\n', ...rows], 'large.csv', { type: 'text/csv' }))
    const file = document.querySelector('#file')
    file.files = chosen.files
    file.dispatchEvent(new Event('change', { bubbles: true }))
})()";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn a_large_file_waits_for_the_connection_and_is_continued_after_a_reload() {
    let mut browser = browser().await;
    browser.before_pages(LINE).await;
    let mut page = Page::opened(browser).await;
    page.sign_in().await;
    page.browser.eval("localStorage.last = 2").await;
    page.click("#start").await;
    page.browser.until("document.querySelector('#file')").await;
    page.browser.eval(CHOOSE).await;
    page.browser.until("document.querySelector('#upload-progress[data-state=waiting]')").await;
    page.browser
        .until("/^paused at [4-9][0-9]%: no connection/.test(document.querySelector('#upload-progress').innerText)")
        .await;
    let (_, open) = page.system.api.get("/api/uploads").await;
    let id = open["uploads"][0]["importId"].as_str().expect("an open upload").to_owned();
    let (_, status) = page.system.api.get(&format!("/api/uploads/{id}")).await;
    assert_eq!(status["missing"].as_array().expect("numbers").len(), 1, "{status}");

    page.open("pipelines").await;
    page.browser.eval("localStorage.removeItem('last'); localStorage.puts = 0").await;
    page.click("#start").await;
    page.browser.until("document.querySelector('#open-upload')").await;
    let hint = page.browser.eval("document.querySelector('#open-upload').innerText").await;
    assert!(
        hint.as_str().is_some_and(|text| text.contains("large.csv stopped at ") && text.contains("the same file")),
        "{hint}"
    );
    page.assert_sound("the dialog with an upload to continue").await;
    page.browser.eval(CHOOSE).await;
    page.browser.until("document.querySelector('#mapping')").await;
    let mapping = page.browser.eval("document.querySelector('#mapping').innerText").await;
    assert!(mapping.as_str().is_some_and(|text| text.contains("900 rows")), "{mapping}");
    assert_eq!(page.browser.eval("Number(localStorage.puts)").await, 1, "only what was missing");
    let (_, import) = page.system.api.get(&format!("/api/imports/{id}")).await;
    assert_eq!((&import["status"], &import["rows"]), (&json!("completed"), &json!(900)), "the same upload");

    // Another one, which is not wanted any more.
    page.browser.eval("localStorage.last = 1; localStorage.puts = 0").await;
    page.open("pipelines").await;
    page.click("#start").await;
    page.browser.until("document.querySelector('#file')").await;
    page.browser.eval(CHOOSE).await;
    page.browser.until("document.querySelector('#upload-progress[data-state=waiting]')").await;
    page.open("pipelines").await;
    page.click("#start").await;
    page.click("#open-upload button").await;
    page.browser.until("!document.querySelector('#open-upload')").await;
    assert_eq!(page.system.api.get("/api/uploads").await.1["uploads"], json!([]));
    page.stop().await;
}
