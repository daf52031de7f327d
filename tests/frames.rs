//! How smoothly the page scrolls 10,000 runs and a run with 30,000 events: a measurement, with Chromium's trace of it.
//!
//! `make dashboard`, then `cargo test -p luci --test main -- --ignored --nocapture frames::`

use std::{path::PathBuf, time::Duration};

use futures::{StreamExt, stream};
use serde_json::json;

use crate::page::Page;

const RUNS: usize = 10_000;
/// With one lead a block: some 16 events of each lead.
const LEADS: u64 = 1_900;
/// What a screen of 60 Hz gives a frame, and a little for its own clock.
const FRAME_MS: f64 = 16.7 + 1.0;
/// An import of so many blocks takes minutes in an unoptimised build.
const LONG: Duration = Duration::from_secs(1_800);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures for minutes; run it by name on a quiet machine"]
async fn ten_thousand_runs_and_thirty_thousand_events() {
    let mut page = Page::signed_in().await;
    let long = page.start(LEADS, json!({"blockSize": 1})).await;
    ended(&page, &long).await;
    let (_, detail) = page.system.api.get(&format!("/api/pipelines/{long}")).await;
    println!("the long run: {} events", detail["run"]["version"]);
    many_runs(&page).await;

    page.open("pipelines").await;
    page.browser.until("document.querySelectorAll('#runs tr[data-run]').length > 10").await;
    measure(&mut page, "the list of 10,000 runs", "window").await;
    page.open(&format!("pipelines/{long}")).await;
    page.browser.until("document.querySelectorAll('[data-block]').length > 10").await;
    measure(&mut page, "the block log", "#blocks").await;
    page.open(&format!("pipelines/{long}?tab=events")).await;
    page.browser.until("document.querySelectorAll('#events [data-version]').length > 10").await;
    measure(&mut page, "the history of 30,000 events", "#events").await;
    page.stop().await;
}

/// Runs of one import, with one lead; those that wait for a slot are cancelled.
async fn many_runs(page: &Page) {
    page.start(1, json!({})).await;
    let (_, newest) = page.system.api.get("/api/imports?limit=1").await;
    let body = json!({"importId": newest["imports"][0]["importId"], "allowRepeat": true});
    stream::iter(0..RUNS)
        .map(|_| async {
            let (status, started) = page.system.api.post("/api/pipelines", &body).await;
            assert_eq!(status, 202, "{started}");
        })
        .buffer_unordered(16)
        .collect::<()>()
        .await;
    let body = json!({"action": "cancel", "filter": {"status": ["queued"]}});
    loop {
        let (status, cancelled) = page.system.api.post("/api/pipelines/bulk", &body).await;
        assert!(status.is_success(), "{cancelled}");
        if cancelled["left"] == 0 {
            break;
        }
    }
}

async fn ended(page: &Page, run: &str) {
    let wait = async {
        while page.system.api.get(&format!("/api/pipelines/{run}")).await.1["run"]["status"] != "completed" {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.expect("it completes");
}

/// Scrolls for ten seconds, one screen in five frames, and prints how long the frames took.
async fn measure(page: &mut Page, what: &str, scrolled: &str) {
    page.browser.trace_start().await;
    let script = format!(
        "new Promise((done) => {{
           const target = {scrolled:?} === 'window' ? window : document.querySelector({scrolled:?});
           const step = (target.innerHeight ?? target.clientHeight) / 5, frames = []; let last;
           const tick = (now) => {{
             if (last) frames.push(now - last); last = now;
             if (frames.length >= 600) done(frames); else {{ target.scrollBy(0, step); requestAnimationFrame(tick) }} }};
           requestAnimationFrame(tick) }})"
    );
    let frames = page.browser.eval(&script).await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("page");
    std::fs::create_dir_all(&folder).expect("a folder");
    let trace = folder.join(format!("{}.trace.json", what.replace([' ', ','], "-")));
    page.browser.trace_end(&trace).await;
    let mut times: Vec<f64> = frames.as_array().expect("frames").iter().filter_map(serde_json::Value::as_f64).collect();
    times.sort_by(f64::total_cmp);
    let late = times.iter().filter(|time| **time > FRAME_MS).count();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    let (p50, p95, p99, worst) = (at(50), at(95), at(99), at(100));
    let rate = times.len() as f64 * 1_000.0 / times.iter().sum::<f64>();
    println!(
        "{what}: {} frames, {rate:.1}/s, {late} late; ms p50 {p50:.1}, p95 {p95:.1}, p99 {p99:.1}, worst {worst:.1}; {}",
        times.len(),
        trace.display()
    );
}
