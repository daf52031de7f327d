//! A file is started once, unless the caller allows the repetition.

use serde_json::json;

use super::fixture::{import, send_csv, still};

#[tokio::test]
async fn the_same_file_or_import_started_again_names_the_first_run() {
    let system = still().await;
    let api = &system.api;
    let first = import(api, 3).await;
    let (status, run) = api.post("/api/pipelines", &json!({"importId": first})).await;
    assert_eq!(status, 202, "{run}");
    let same_file = import(api, 3).await;
    assert_ne!(first, same_file);
    for again in [&first, &same_file] {
        let (status, problem) = api.post("/api/pipelines", &json!({"importId": again})).await;
        assert_eq!(
            (status.as_u16(), &problem["type"]),
            (409, &json!("urn:luci:problem:already_imported")),
            "{problem}"
        );
        assert_eq!(problem["runId"], run["runId"]);
    }
    let (status, repeated) = api.post("/api/pipelines", &json!({"importId": same_file, "allowRepeat": true})).await;
    assert_eq!(status, 202, "{repeated}");
    let (_, problem) = api.post("/api/pipelines", &json!({"importId": first})).await;
    assert_eq!(problem["runId"], repeated["runId"], "the newest run holds the file");
    // Another file, and the same file of another tenant, are other files.
    let (_, other_file) = send_csv(api, "Company,Cell\nAcme,9175550101\n".into()).await;
    assert_eq!(api.post("/api/pipelines", &json!({"importId": other_file["importId"]})).await.0, 202);
    let (_, other) = system.other_tenant("other").await;
    let theirs = import(&other, 3).await;
    assert_eq!(other.post("/api/pipelines", &json!({"importId": theirs})).await.0, 202);
}

#[tokio::test]
async fn a_start_that_was_refused_holds_no_file() {
    let system = still().await;
    let import = import(&system.api, 3).await;
    let refused = json!({"importId": import, "options": {"maxLeads": 2}});
    assert_eq!(system.api.post("/api/pipelines", &refused).await.0, 422);
    assert_eq!(system.api.post("/api/pipelines", &json!({"importId": import})).await.0, 202);
}
