//! The whole journey with the keyboard alone: sign in, a new run, watch, preview a file, approve a draft. Only the choice of the
//! file is done by a script: the browser asks the desktop for it.

use super::Page;
use crate::support::browser;

const LEADS: &str = "Company,First Name,Last Name,Phone,Email,State\n\
    Acme,Ann,Lee,(917) 555-0101,ann@acme.example,NY\nBolt,Bob,Ray,(917) 555-0102,bob@bolt.example,NY\n";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn a_file_becomes_approved_messages_without_a_mouse() {
    let mut page = Page::opened(browser().await).await;
    page.browser.errors.clear();
    page.browser.tab_to("element.id === 'key'").await;
    let key = page.system.api.key.clone();
    page.browser.type_text(&key).await;
    page.browser.key("Enter").await;
    page.browser.until("document.querySelector('#board')").await;
    page.browser.until("document.querySelector('#connection')?.dataset.state === 'live'").await;

    page.browser.key("n").await;
    page.browser.until("document.querySelector('dialog[open]') && document.querySelector('#file')").await;
    page.choose_file("leads.csv", LEADS).await;
    page.browser.until("document.querySelector('#estimate')").await;
    page.browser.tab_to("element.id === 'start-run' && !element.disabled").await;
    page.browser.key("Enter").await;
    page.browser.until("/run_[0-9A-Z]{26}$/.test(location.pathname)").await;
    page.browser.until("document.querySelector('#detail-head [data-state-of=completed]')").await;

    page.browser.tab_to("element.role === 'tab' && element.ariaSelected === 'true'").await;
    for tab in ["Waterfall", "Events", "Artifacts"] {
        page.browser.key("ArrowRight").await;
        let focused =
            format!("document.activeElement.role === 'tab' && document.activeElement.innerText.startsWith({tab:?})");
        page.browser.until(&focused).await;
    }
    page.browser.until("document.querySelector('[data-preview=validated]')").await;
    page.browser.tab_to("element.dataset.preview === 'validated'").await;
    page.browser.key("Enter").await;
    page.browser.until("/Acme/.test(document.querySelector('#preview')?.innerText)").await;
    page.browser.key("Escape").await;
    page.browser.until("!document.querySelector('dialog[open]')").await;

    page.browser.tab_to("element.matches('nav a') && element.ariaLabel === 'Messages'").await;
    page.browser.key("Enter").await;
    page.browser.until("/Hi Ann/.test(document.querySelector('main').innerText)").await;
    page.browser.tab_to("element.matches('button') && element.innerText === 'Approve'").await;
    page.browser.key("Enter").await;
    page.browser.until("/Pending|Approved/.test(document.querySelector('main table').innerText)").await;
    let (_, drafts) = page.system.api.get("/api/messages?status=draft").await;
    assert_eq!(drafts["messages"].as_array().map(Vec::len), Some(0), "{drafts}");
    assert!(page.browser.errors.is_empty(), "{:?}", page.browser.errors);
    page.stop().await;
}
