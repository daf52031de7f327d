//! A file as people have them: foreign separator, quoted line breaks, broken rows, doubles, a column that nobody knows.

use super::Page;

const MESSY: &str = "\u{feff}Company Name;First Name;Last Name;Phone;E-mail;Address;City;State;Zip;SIC Code;Favourite Colour\r\n\
    \"Müller; Söhne\";Jörg;Müller;(212) 555-0199;jorg@muller.example;1 Main St;New York;NY;10001;1731;blue\r\n\
    Broken Row Inc;\"Ann\nMarie\";Lee;not a phone;bad-mail;2 Side St;;ZZ;1;17;red\r\n\
    ;;;;;;;;;;\r\n\
    Dup Co;Max;Dup;212-555-0144;max@dup.example;3 Low St;Albany;NY;12207;1711;\r\n\
    Dup Co;Max;Dup;212-555-0144;max@dup.example;3 Low St;Albany;NY;12207;1711;\r\n\
    Long;a;b;c;d;e;f;g;h;i;j;k;l\r\n";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn a_messy_csv_is_explained_started_corrected_and_its_drafts_approved() {
    let mut page = Page::signed_in().await;
    page.choose("messy.csv", MESSY).await;
    // How it is read, with values; what is not used; what it costs. Nothing is started before.
    page.browser.until("document.querySelector('#mapping') && document.querySelector('#estimate')").await;
    let mapping = page.browser.eval("document.querySelector('#mapping').innerText").await;
    let mapping = mapping.as_str().expect("text");
    for text in ["5 rows", "“;”", "Müller; Söhne", "company name", "1 malformed"] {
        assert!(mapping.contains(text), "{text} is missing in {mapping}");
    }
    let unread = page.browser.eval("document.querySelector('#mapping [data-unread]').innerText").await;
    assert!(unread.as_str().is_some_and(|row| row.contains("Favourite Colour")), "{unread}");
    let estimate = page.browser.eval("document.querySelector('#estimate').innerText").await;
    assert!(estimate.as_str().is_some_and(|text| text.contains("At most") && text.contains('$')), "{estimate}");
    let (_, list) = page.system.api.get("/api/pipelines").await;
    assert_eq!(list["total"], 0, "nothing is started by looking");
    page.assert_sound("the dialog of a new run").await;
    page.click("#start-run").await;
    page.browser.until("document.querySelector('#detail-head [data-state-of=completed]')").await;

    // An artifact in the browser.
    page.click_text("Artifacts").await;
    page.click("[data-preview=validated]").await;
    page.browser.until("/Müller; Söhne/.test(document.querySelector('#preview')?.innerText)").await;
    page.browser.eval("document.querySelector('dialog[open] [aria-label=Close]').click()").await;

    // The failed leads, corrected in place and sent through again.
    page.click_text("Failed leads").await;
    page.browser.until("document.querySelectorAll('#failed-leads tbody tr').length > 0").await;
    page.click_text("Correct and send again").await;
    page.browser.until("document.querySelector('dialog[open] input[aria-label^=\"phone of\" i]')").await;
    page.fill("dialog[open] input[aria-label^=\"phone of\" i]", "212-555-0177").await;
    let first = page.browser.eval("location.pathname").await;
    page.click_text("Send 1 lead again").await;
    page.browser.until(&format!("location.pathname !== {first} && /run_/.test(location.pathname)")).await;
    page.browser.until("document.querySelector('#detail-head [data-state-of=completed]')").await;

    // The drafts of the first run, approved.
    let run = first.as_str().and_then(|path| path.rsplit('/').next()).expect("a run").to_owned();
    page.open(&format!("messages?run={run}&status=draft")).await;
    page.browser.until("/Jörg/.test(document.querySelector('main').innerText)").await;
    page.click_text("Approve all drafts").await;
    page.browser.until("document.querySelector('dialog[open] [data-first]')").await;
    page.browser.eval("document.querySelector('dialog[open] [data-first]').click()").await;
    page.browser.until("/No messages/.test(document.querySelector('main').innerText)").await;
    assert!(page.browser.errors.is_empty(), "{:?}", page.browser.errors);
    page.stop().await;
}
