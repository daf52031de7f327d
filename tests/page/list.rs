//! The list: filters in the address, sorting, selection with a report, keys, and a focus that survives updates.

use serde_json::json;

use super::Page;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn filters_are_in_the_address_and_the_focus_survives_updates() {
    let mut page = Page::signed_in().await;
    let ended = page.start(20, json!({})).await;
    page.system.api.run_ended(&ended).await;
    let paused = page.start(20, json!({"budgetMicros": 1})).await;
    page.system.api.run_when(&paused, |detail| detail["run"]["status"] == "paused").await;
    let rows = "document.querySelectorAll('#runs tr[data-run]').length";
    page.browser.until(&format!("{rows} === 2")).await;

    // A tile filters, is pressed, and is a link that can be opened again.
    page.click("#tiles button:nth-child(2)").await;
    page.browser.until(&format!("location.search === '?status=completed' && {rows} === 1")).await;
    let pressed = page.browser.eval("document.querySelector('#tiles button:nth-child(2)').ariaPressed").await;
    assert_eq!(pressed, "true");
    page.open("pipelines?status=paused&sort=-cost").await;
    page.browser
        .until(&format!("{rows} === 1 && document.querySelector('[aria-sort=descending]')?.innerText === 'Cost'"))
        .await;
    page.open("pipelines?q=nothing-begins-so").await;
    page.browser.until("/No runs match/.test(document.querySelector('main').innerText)").await;

    // A sector is left out: runs without a sector stay.
    page.open("pipelines").await;
    page.click_text("Filter").await;
    page.browser.until("document.querySelector('dialog[open] fieldset:nth-of-type(2) input')").await;
    page.browser.eval("document.querySelector('dialog[open] fieldset:nth-of-type(2) input').click()").await;
    page.click_text("Show").await;
    page.browser.until(&format!("location.search.startsWith('?exclude=sector_') && {rows} === 2")).await;
    page.browser.until("document.querySelector('[aria-label^=\"Remove the filter not sector\"]')").await;

    // Keys: move, select. The report of a command names each run, before and after.
    page.open("pipelines").await;
    page.browser.until(&format!("{rows} === 2")).await;
    page.browser.key("j").await;
    page.browser.key("x").await;
    page.browser.until("/1 selected/.test(document.querySelector('main').innerText)").await;
    page.click_text("Select all 2 that match").await;
    page.click_text("Resume").await;
    page.browser.until("/of 2 runs/.test(document.querySelector('dialog[open] h2')?.innerText)").await;
    let report = page.browser.eval("document.querySelector('dialog[open]').innerText").await;
    assert!(report.as_str().is_some_and(|text| text.contains(&ended) || text.contains(&paused)), "{report}");
    page.browser.key("Escape").await;

    // A row's link keeps the focus while runs begin, go on and end.
    page.open("pipelines").await;
    let link = format!("document.querySelector('[data-run={paused}] a')");
    page.browser.until(&link).await;
    page.browser.eval(&format!("{link}.focus()")).await;
    let more = page.start(200, json!({})).await;
    page.browser.until(&format!("document.querySelector('[data-run={more}] [data-state-of=completed]')")).await;
    let kept = page.browser.eval(&format!("document.activeElement === {link}")).await;
    assert_eq!(kept, true, "the focus is still on the link");
    page.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn the_keyboard_alone_opens_pauses_and_comes_back() {
    let mut page = Page::signed_in().await;
    let run = page.start(20, json!({"budgetMicros": 1})).await;
    page.browser.until(&format!("document.querySelector('[data-run={run}] [data-state-of=paused]')")).await;
    page.browser.key("j").await;
    page.browser.key("o").await;
    page.browser.until("document.querySelector('dialog.sheet[open]')").await;
    page.browser.key("Escape").await;
    page.browser.until("!document.querySelector('dialog[open]')").await;
    page.browser.key("Enter").await;
    page.browser.until(&format!("location.pathname.endsWith({run:?}) && document.querySelector('#waiting')")).await;
    let waiting = page.browser.eval("document.querySelector('#waiting').innerText").await;
    assert!(
        waiting.as_str().is_some_and(|text| text.contains("budget") && text.contains("Raise the budget")),
        "{waiting}"
    );
    page.browser.key("?").await;
    page.browser.until("/Keyboard/.test(document.querySelector('dialog[open] h2')?.innerText)").await;
    page.browser.key("Escape").await;
    page.browser.until("!document.querySelector('dialog[open]')").await;
    page.browser.key("Escape").await;
    page.browser.until("location.pathname === '/admin/pipelines'").await;
    page.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn a_saved_view_is_there_in_another_browser() {
    let mut page = Page::signed_in().await;
    page.open("pipelines?status=failed&sort=-cost").await;
    // A menu opens by key.
    let menu = "document.querySelector(\"[aria-label='Save the view, export the list']\")";
    page.browser.until(menu).await;
    page.browser.eval(&format!("{menu}.focus()")).await;
    page.browser.key("Enter").await;
    page.click_text("Save this view…").await;
    page.browser.until("document.querySelector('dialog[open] input[name=name]')").await;
    page.browser.eval("document.querySelector('dialog[open] input[name=name]').value = 'Dear failures'").await;
    page.browser.eval("document.querySelector('dialog[open] input[name=shared]').click()").await;
    page.click_text("Save").await;
    let saved =
        "[...document.querySelectorAll('[aria-label=Views] button')].find(b => b.innerText === 'Dear failures')";
    page.browser.until(saved).await;
    let (_, views) = page.system.api.get("/api/views").await;
    let view = &views["views"][0];
    assert_eq!((&view["query"], &view["shared"]), (&json!("status=failed&sort=-cost"), &json!(true)), "{views}");
    // Nothing is kept in the browser.
    page.browser.eval("localStorage.clear()").await;
    page.open("pipelines").await;
    page.browser.until(saved).await;
    page.browser.eval(&format!("{saved}.click()")).await;
    page.browser.until("location.search === '?status=failed&sort=-cost'").await;
    page.stop().await;
}
