//! The page in a real browser: sign-in with a key, a run started by choosing a CSV, live progress to completion.
//!
//! Needs chromium, so it is left out of a plain `cargo test`; `make test` installs one and runs it.

use std::{net::Ipv4Addr, time::Duration};

use luci_providers::ProvidersConfig;
use luci_sandbox::{Sandbox, SandboxOptions};

use crate::support::{Browser, Database, SystemOptions, browser, system_with};

/// A system with sandbox providers, and a browser that is signed in.
async fn signed_in() -> (crate::support::System, Sandbox, Browser) {
    let sandbox = Sandbox::start((Ipv4Addr::LOCALHOST, 0).into(), SandboxOptions::default()).await.expect("a sandbox");
    let providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
    let seal_every = Duration::from_secs(1);
    let system = system_with(SystemOptions { providers, seal_every, ..SystemOptions::default() }).await;
    let mut browser = browser().await;
    browser.open(&format!("{}/admin/pipelines", system.api.url)).await;
    browser.until("!document.querySelector('#sign-in').hidden").await;
    browser.errors.clear();
    let sign_in = format!(
        "document.querySelector('#key').value = '{}'; document.querySelector('#sign-in').requestSubmit()",
        system.api.key
    );
    browser.eval(&sign_in).await;
    browser.until("!document.querySelector('#board').hidden").await;
    browser.until("document.querySelector('#connection').dataset.state === 'live'").await;
    (system, sandbox, browser)
}

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
    let (system, sandbox, mut browser) = signed_in().await;
    let mut csv = Vec::new();
    luci::cli::demo::sample::csv(&mut csv, 300, 1, 7).expect("a sample");
    let csv = serde_json::to_string(&String::from_utf8(csv).unwrap_or_default()).expect("JSON");
    let choose = format!(
        "const chosen = new DataTransfer(); chosen.items.add(new File([{csv}], 'leads.csv', {{type: 'text/csv'}}));
         document.querySelector('#file').files = chosen.files; document.querySelector('#new-run').requestSubmit()"
    );
    browser.eval(&format!("(() => {{ {choose} }})()")).await;
    browser.until("/completed/i.test(document.querySelector('#runs').innerText)").await;
    let rows = browser.eval("document.querySelectorAll('#runs tr').length").await;
    assert_eq!(rows, 1, "one run, one row");

    let (_, list) = system.api.get("/api/pipelines").await;
    let run = list["runs"][0]["runId"].as_str().expect("a run").to_owned();
    browser.open(&format!("{}/admin/pipelines/{run}", system.api.url)).await;
    let verify = "(() => { const verify = [...document.querySelectorAll('button')].find((b) => b.innerText === 'verify history'); \
                  verify?.click(); return !!verify })()";
    browser.until(verify).await;
    // The browser checks everything itself, the seal's signature too.
    let notice = "document.querySelector('#notice').innerText";
    browser
        .until(&format!(
            "/^Chain intact to #\\d+, sealed .* by key [0-9a-f]{{16}}/.test({notice}) || ({verify}, false)"
        ))
        .await;
    intrude(&system.database, &run).await;
    browser
        .until(&format!("/^Broken at #2: its bytes do not match its hash/.test({notice}) || ({verify}, false)"))
        .await;
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
    drop(browser);
    system.stop().await;
    sandbox.stop().await;
}
