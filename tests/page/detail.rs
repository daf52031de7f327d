//! The page of a run with many blocks: all are reachable, the past is a link, an event is inspected.

use serde_json::json;

use super::Page;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn every_block_file_and_moment_of_a_run_is_reachable() {
    let mut page = Page::signed_in().await;
    // 22 blocks in each of seven stages: more than a page of blocks and of files.
    let run = page.start(110, json!({"blockSize": 5})).await;
    page.system.api.run_ended(&run).await;
    let (_, first) = page.system.api.get(&format!("/api/pipelines/{run}/blocks?limit=1")).await;
    let blocks = first["blocks"][0]["sequence"].as_u64().expect("a number");
    assert!(blocks > 140, "{blocks}");
    page.open(&format!("pipelines/{run}")).await;
    page.browser.until(&format!("document.querySelector('#block-count')?.innerText.startsWith('{blocks} ')")).await;

    // Only the rows on screen are in the page; scrolling to the end shows the first block of the run.
    let shown = page.browser.eval("document.querySelectorAll('[data-block]').length").await;
    assert!(shown.as_u64().is_some_and(|n| n < 60), "{shown} rows are in the page");
    let (_, detail) = page.system.api.get(&format!("/api/pipelines/{run}/blocks?stage=import&limit=100")).await;
    let oldest = detail["blocks"].as_array().expect("blocks").last().expect("one")["blockId"].as_str().expect("an id");
    page.browser
        .until(&format!(
            "(document.querySelector('#blocks').scrollTop = 1e9, document.querySelector('[data-block={oldest}]'))"
        ))
        .await;

    // A stage filters, in the address.
    page.click("[data-stage=enrich]").await;
    page.browser.until("location.search.includes('stage=enrich')").await;
    page.browser.until("document.querySelectorAll('[data-group]').length === 1").await;
    page.click("[data-stage=enrich]").await;

    // Files beyond the newest.
    page.click_text("Artifacts").await;
    let files = "document.querySelectorAll('#artifacts tbody tr').length";
    page.browser.until(&format!("{files} === 100")).await;
    page.click_text("Show ").await;
    page.browser.until(&format!("{files} > 140")).await;

    past(&mut page, &run).await;
    proof(&mut page).await;

    // An event, from its address: cause, hash, payload; its hash is checked here.
    page.open(&format!("pipelines/{run}?tab=events&event=3")).await;
    page.browser.until("/#3 block:queued/.test(document.querySelector('#inspector')?.innerText)").await;
    page.click("#verify-event").await;
    page.browser.until("/Its hash matches its bytes/.test(document.querySelector('#inspector').innerText)").await;
    page.fill("input[aria-label='Filter the events']", "type:block.completed stage:score").await;
    page.browser.until("document.querySelectorAll('#events [data-version]').length > 0 && [...document.querySelectorAll('#events [data-version]')].every((row) => /block:completed/.test(row.innerText) && /Score/.test(row.innerText))").await;
    assert!(page.browser.errors.is_empty(), "{:?}", page.browser.errors);
    page.stop().await;
}

/// The file of the proof is the one that `luci audit verify` reads.
async fn proof(page: &mut Page) {
    page.browser.eval("HTMLAnchorElement.prototype.click = function () { window.asked = this.href }").await;
    // A menu opens by key.
    let menu = "document.querySelector(\"[aria-label='More actions']\")";
    page.browser.until(&format!("{menu} && !{menu}.disabled")).await;
    page.browser.eval(&format!("{menu}.focus()")).await;
    page.browser.key("Enter").await;
    page.click_text("Download the proof").await;
    page.browser.until("window.asked").await;
    page.browser.eval("fetch(window.asked).then((file) => file.text()).then((text) => (window.file = text))").await;
    page.browser.until("window.file").await;
    let file = page.browser.eval("window.file").await;
    let verdict = luci_schema::history::verify(file.as_str().expect("a text").as_bytes()).expect("read");
    assert!(verdict.is_intact() && verdict.format == "luci-history/2", "{verdict:?}");
}

/// The past: the page shows what the server's fold says, and nothing can be done.
async fn past(page: &mut Page, run: &str) {
    let (_, past) = page.system.api.get(&format!("/api/pipelines/{run}?asOf=v200")).await;
    page.open(&format!("pipelines/{run}?at=200")).await;
    page.browser.until("document.querySelector('#past')").await;
    let progress = past["run"]["progress"].as_u64().expect("a number");
    page.browser
        .until(&format!("document.querySelector('section[aria-label=Flow]').innerText.startsWith('{progress}%')"))
        .await;
    let imported = past["stages"][0]["outputCount"].as_u64().expect("a number");
    let text = page.browser.eval("document.querySelector('[data-stage=import]').innerText").await;
    assert!(text.as_str().is_some_and(|text| text.contains(&imported.to_string())), "{text}, not {imported}");
    let enabled = page.browser.eval("document.querySelectorAll('[data-action]:not(:disabled)').length").await;
    assert_eq!(enabled, 0, "actions are off in the past");
    page.browser.eval("document.querySelector('#dock input[type=range]').focus()").await;
    page.browser.key("ArrowRight").await;
    page.browser.until("location.search.includes('at=201')").await;
    page.click("#live").await;
    page.browser.until("!location.search.includes('at=') && !document.querySelector('#past')").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn a_run_is_watched_paused_and_resumed_while_the_reader_keeps_the_place() {
    let mut page = Page::signed_in().await;
    let run = page.start(2000, json!({"blockSize": 10, "window": 2})).await;
    page.open(&format!("pipelines/{run}")).await;
    page.click("[data-action=pause]").await;
    page.browser.until("document.querySelector('#detail-head [data-state-of=paused]')").await;
    page.browser.until("/accepted at position \\d+/.test(document.querySelector('#notices').innerText)").await;
    page.click("[data-action=resume]").await;
    page.browser.until("document.querySelector('#detail-head [data-state-of=running]')").await;
    page.browser.eval("document.querySelector('[data-stage=enrich]').focus()").await;
    let head = "Number(document.querySelector('[role=tab]:nth-child(3)').innerText.replace(/\\D/g, ''))";
    let before = page.browser.eval(head).await;
    page.browser.until(&format!("{head} > {before} + 20")).await;
    let kept = page.browser.eval("document.activeElement.dataset.stage").await;
    assert_eq!(kept, "enrich", "the focus survives the events");
    page.click("[data-action=cancel]").await;
    page.browser.until("document.querySelector('dialog[open] [data-first]')").await;
    page.browser.eval("document.querySelector('dialog[open] [data-first]').click()").await;
    page.browser.until("document.querySelector('#detail-head [data-state-of=cancelled]')").await;
    page.stop().await;
}
