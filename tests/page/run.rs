//! Sign-in with a key, a run started by choosing a CSV, live progress to completion, and the history verified in the browser.

use super::Page;
use crate::support::Database;

/// Changes an event's time as the database's owner, with the log's triggers disabled.
async fn intrude(database: &Database, run: &str) {
    let pool = database.pool().await;
    let tables = "select relid::regclass::text from pg_partition_tree('log.events')";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&pool).await.expect("tables");
    for table in tables {
        let unguarded = format!("alter table {table} disable trigger user");
        sqlx::query(sqlx::AssertSqlSafe(unguarded)).execute(&pool).await.expect("unguarded");
    }
    let later =
        "update log.events set recorded_at = recorded_at + interval '1 us' where stream_id = $1 and version = 2";
    sqlx::query(later).bind(run).execute(&pool).await.expect("changed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn a_csv_chosen_in_the_page_runs_to_completion() {
    let mut page = Page::signed_in().await;
    let mut csv = Vec::new();
    luci::cli::demo::sample::csv(&mut csv, 300, 1, 7).expect("a sample");
    page.choose("leads.csv", &String::from_utf8(csv).expect("text")).await;
    page.browser.until("document.querySelector('#estimate')").await;
    page.click("#start-run").await;
    // The page of the run is opened, and gets its state from the socket.
    page.browser.until("/run_[0-9A-Z]{26}$/.test(location.pathname)").await;
    page.browser.until("document.querySelector('#detail-head [data-state-of=completed]')").await;
    let states = "[...document.querySelectorAll('[data-stage]')].map((stage) => stage.dataset.state).join()";
    page.browser.until(&format!("{states} === Array(7).fill('completed').join()")).await;
    let (_, list) = page.system.api.get("/api/pipelines").await;
    let run = list["runs"][0]["runId"].as_str().expect("a run").to_owned();
    page.open("pipelines").await;
    page.browser.until("/completed/i.test(document.querySelector('#runs tbody').innerText)").await;
    let rows = page.browser.eval("document.querySelectorAll('#runs tr[data-run]').length").await;
    assert_eq!(rows, 1, "one run, one row");

    page.open(&format!("pipelines/{run}")).await;
    page.click("#verify").await;
    // The browser checks everything itself, the seal's signature too.
    let verdict = "document.querySelector('#verdict').innerText";
    let verify =
        "(document.querySelector('#verify').ariaBusy !== 'true' && document.querySelector('#verify').click(), false)";
    page.browser
        .until(&format!("/^Chain intact to #\\d+, sealed .* by key [0-9a-f]{{16}}/.test({verdict}) || {verify}"))
        .await;
    intrude(&page.system.database, &run).await;
    page.browser.until(&format!("/^Broken at #2: its bytes do not match its hash/.test({verdict}) || {verify}")).await;
    assert!(page.browser.errors.is_empty(), "{:?}", page.browser.errors);
    page.stop().await;
}
