//! kill -9 while a person is erased: the next process goes on, and ends the same.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{EMAIL, completed, file, traces, traces_below};
use crate::support::{self, Servers, search};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_erasure_goes_on_and_ends_the_same() {
    let (database, nats) = tokio::join!(support::database(), support::nats());
    let mut luci = support::luci(Servers::on(&database, &nats)).await;
    let stage = |stage: &str| json!({"name": stage, "stage": stage, "config": {}});
    let stages = ["import", "validate", "score", "assign"].map(stage);
    let (status, made) = luci.api().post("/api/blueprints", &json!({"name": "short", "stages": stages})).await;
    assert_eq!(status, 201, "{made}");
    for _ in 0..6 {
        let request = luci.api().request(Method::POST, "/api/imports?fileName=leads.csv");
        let request = request.header("content-type", "text/csv").body(file());
        let import: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        let start = json!({"importId": import["importId"], "blueprintId": made["blueprintId"], "allowRepeat": true,
            "options": {"blockSize": 2}});
        let (status, run) = luci.api().post("/api/pipelines", &start).await;
        assert_eq!(status, 202, "{run}");
        luci.api().run_ended(run["runId"].as_str().expect("an id")).await;
    }
    let (status, asked) = luci.api().post_once("/api/erasures", &json!({"email": EMAIL}), "erase").await;
    assert_eq!(status, 202, "{asked}");
    for millis in [0, 60, 120, 250, 500] {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        luci.kill().await;
        luci.start().await;
    }
    let (_, again) = luci.api().post_once("/api/erasures", &json!({"email": EMAIL}), "erase").await;
    assert_eq!(again, asked, "the repeated request is the same erasure");
    completed(&luci.api(), asked["erasureId"].as_str().expect("an id")).await;

    assert_eq!(traces_below(&luci.data_dir.join("objects")), Vec::<String>::new());
    assert!(traces(&std::fs::read(luci.data_dir.join("luci.log")).expect("a log")).is_empty());
    let tools = search().postgres(None).expect("the programs of Postgres");
    let dump = tokio::process::Command::new(tools.join("pg_dump")).arg(database.url()).output().await.expect("it runs");
    assert!(dump.status.success());
    assert!(traces(&dump.stdout).is_empty());
    let variables = [("LUCI_DATABASE_URL", database.url()), ("LUCI_NATS_URL", nats.url())];
    for arguments in [&["storage", "check"][..], &["audit", "verify", "--all", "--without-broker"]] {
        let store = format!("file://{}", luci.data_dir.join("objects").display());
        let variables = [&variables[..], &[("LUCI_STORE_URL", store.as_str())]].concat();
        let done = support::output(&luci.data_dir, arguments, &variables).await;
        let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {text}");
    }
}
