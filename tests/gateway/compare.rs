//! The comparison of two runs: totals, stages and pinned options.

use serde_json::{Value, json};

use super::fixture::{import, whole};

fn named<'a>(figures: &'a Value, name: &str) -> &'a Value {
    figures.as_array().and_then(|all| all.iter().find(|one| one["figure"] == name)).expect("a figure")
}

#[tokio::test]
async fn differing_figures_stages_and_pinned_options_are_shown() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let import = import(api, 4).await;
    let run = async |options: Value| {
        let (_, run) =
            api.post("/api/pipelines", &json!({"importId": import, "options": options, "allowRepeat": true})).await;
        let run = run["runId"].as_str().expect("an id").to_owned();
        assert_eq!(api.run_ended(&run).await["run"]["status"], "completed");
        run
    };
    let (a, b) = (run(json!({})).await, run(json!({"blockSize": 2})).await);
    let (status, both) = api.get(&format!("/api/pipelines/{a}/compare/{b}")).await;
    assert_eq!(status, 200, "{both}");
    assert_eq!((&both["runs"][0]["runId"], &both["runs"][1]["runId"]), (&json!(a), &json!(b)));
    let total = named(&both["figures"], "totalLeads");
    assert_eq!(total, &json!({"figure": "totalLeads", "a": 4, "b": 4, "difference": 0}));
    assert_eq!(both["stages"].as_array().map(Vec::len), Some(7));
    let blocks = named(&both["stages"][1]["figures"], "totalBlocks");
    assert_eq!(blocks, &json!({"figure": "totalBlocks", "a": 1, "b": 2, "difference": 1}));
    assert_eq!(both["pinned"], json!([{"field": "options.blockSize", "a": 250, "b": 2}]));

    // The second run's later stages once more: stored answers are not paid again.
    let (_, third) = api.post(&format!("/api/pipelines/{a}/retry"), &json!({"fromStage": "score"})).await;
    let c = third["runId"].as_str().expect("an id");
    api.run_ended(c).await;
    let (_, part) = api.get(&format!("/api/pipelines/{a}/compare/{c}")).await;
    let enrich = &part["stages"][2];
    assert_eq!((&enrich["stage"], &enrich["inA"], &enrich["inB"]), (&json!("enrich"), &json!(true), &json!(false)));
    assert_eq!(named(&enrich["figures"], "successCount")["difference"], Value::Null);
    let (_, other) = system.other_tenant("other").await;
    assert_eq!(other.get(&format!("/api/pipelines/{a}/compare/{b}")).await.0, 404);
    assert_eq!(api.get(&format!("/api/pipelines/{a}/compare/run_00000000000000000000000000")).await.0, 404);
}
