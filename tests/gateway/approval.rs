//! No road lets a member send without approval: every road on which a caller starts a run, with every role.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::fixture::{send_csv, whole};
use crate::support::{Api, System};

const ROLES: [&str; 5] = ["viewer", "auditor", "member", "admin", "owner"];

async fn key(system: &System, role: &str) -> Api {
    let (status, made) = system.api.post("/api/keys", &json!({"role": role, "name": role})).await;
    assert_eq!(status, 201, "{made}");
    Api::new(system.api.url.clone(), made["key"].as_str().expect("a key"))
}

/// A blueprint whose messages need no approval, by the owner.
async fn immediate(api: &Api) -> Value {
    let stage = |stage: &str, config: Value| json!({"name": stage, "stage": stage, "config": config});
    let push = json!({"channels": ["sms"], "mode": "immediate"});
    let stages = [stage("import", json!({})), stage("validate", json!({})), stage("push", push)];
    let (status, made) = api.post("/api/blueprints", &json!({"name": "at once", "stages": stages})).await;
    assert_eq!(status, 201, "{made}");
    made["blueprintId"].clone()
}

async fn import(api: &Api, row: u64) -> Value {
    let (_, import) = send_csv(api, format!("Company,First Name,Cell\nFirm {row},Ann,91755501{row:02}\n")).await;
    import["importId"].clone()
}

/// The statuses of the run's messages, once it has ended.
async fn messages(api: &Api, run: &str) -> Vec<String> {
    assert_eq!(api.run_ended(run).await["run"]["status"], "completed");
    let (_, page) = api.get(&format!("/api/messages?runId={run}")).await;
    let messages = page["messages"].as_array().expect("messages").iter();
    messages.map(|message| message["status"].as_str().expect("a status").to_owned()).collect()
}

/// What a role's call answers, and the messages of the run that it started.
async fn outcome(system: &System, answer: (StatusCode, Value)) -> (u16, Vec<String>) {
    match answer {
        (StatusCode::ACCEPTED, run) => (202, messages(&system.api, run["runId"].as_str().expect("an id")).await),
        (status, _) => (status.as_u16(), Vec::new()),
    }
}

/// What a role may do on every road.
fn expected(role: &str) -> (u16, &'static str) {
    match role {
        "viewer" | "auditor" => (403, ""),
        "member" => (202, "draft"),
        _ => (202, "pending"),
    }
}

#[tokio::test]
async fn a_start_a_replay_and_a_retry_of_a_member_wait_for_approval() {
    let (system, _sandbox) = whole().await;
    let blueprint = immediate(&system.api).await;
    for (row, role) in (0_u64..).zip(ROLES) {
        let api = key(&system, role).await;
        let (status, message) = expected(role);
        let import_id = import(&system.api, row * 10).await;
        let start = json!({"importId": import_id, "blueprintId": blueprint});
        let started = outcome(&system, api.post("/api/pipelines", &start).await).await;
        assert_eq!((started.0, started.1.first().map_or("", String::as_str)), (status, message), "start by {role}");

        // The owner's runs were pushed at once; what they push again is nobody's, so a campaign of its own is needed: a
        // replay keeps the lineage, and its messages are those of the first run.
        let own = json!({"importId": import(&system.api, row * 10 + 1).await, "blueprintId": blueprint});
        let (_, run) = system.api.post("/api/pipelines", &own).await;
        let run = run["runId"].as_str().expect("an id").to_owned();
        assert_eq!(messages(&system.api, &run).await, ["pending"]);
        let forget = "delete from sms_queue where run_id = $1";
        let pool = system.database.pool().await;
        for (road, body) in [("replay", json!({})), ("retry", json!({"fromStage": "push"}))] {
            sqlx::query(forget).bind(&run).execute(&pool).await.expect("deleted");
            sqlx::query("delete from sms_queue where campaign_id = $1")
                .bind(&run)
                .execute(&pool)
                .await
                .expect("deleted");
            let answer = api.post(&format!("/api/pipelines/{run}/{road}"), &body).await;
            let again = outcome(&system, answer).await;
            assert_eq!((again.0, again.1.first().map_or("", String::as_str)), (status, message), "{road} by {role}");
        }
    }
}

#[tokio::test]
async fn the_orchestrator_s_immediate_mode_needs_the_right_to_approve() {
    let (system, _sandbox) = whole().await;
    let blueprint = immediate(&system.api).await;
    for (row, role) in (0_u64..).zip(ROLES) {
        let api = key(&system, role).await;
        let own = json!({"importId": import(&system.api, row).await, "blueprintId": blueprint});
        let (_, run) = system.api.post("/api/pipelines", &own).await;
        let run = run["runId"].as_str().expect("an id").to_owned();
        messages(&system.api, &run).await;
        let push = |mode: Option<&str>| {
            let mut body =
                json!({"action": "push", "leadBlockId": run, "pushTo": "sms", "attemptInfo": {"attemptNumber": 2}});
            if let Some(mode) = mode {
                body["mode"] = json!(mode);
            }
            body
        };
        let at_once = outcome(&system, api.post("/api/luci/orchestrate", &push(Some("immediate"))).await).await;
        let (status, message) = match role {
            "admin" | "owner" => (202, "pending"),
            _ => (403, ""),
        };
        assert_eq!((at_once.0, at_once.1.first().map_or("", String::as_str)), (status, message), "immediate by {role}");
        if role == "member" {
            let draft = outcome(&system, api.post("/api/luci/orchestrate", &push(None)).await).await;
            assert_eq!(draft, (202, vec!["draft".to_owned()]), "without a mode");
        }
    }
}

#[tokio::test]
async fn nobody_below_an_admin_approves_or_publishes_what_sends() {
    let (system, _sandbox) = whole().await;
    let message = "/api/messages/msg_00000000000000000000000000/approve";
    let bodies = [
        (message, json!({})),
        ("/api/messages/approve", json!({"runId": "run_00000000000000000000000000"})),
        ("/api/blueprints", json!({"name": "x", "stages": []})),
        ("/api/automations", json!({})),
        ("/api/holds/release", json!({"number": "+19175550101"})),
        ("/api/suppressions/remove", json!({"kind": "phone", "value": "+19175550101"})),
        ("/api/sending/numbers", json!({"number": "+12125550100", "provider": "twilio"})),
        ("/api/sending", json!({"weeklyPerNumber": 100})),
    ];
    for role in ["viewer", "auditor", "member"] {
        let api = key(&system, role).await;
        for (path, body) in &bodies {
            assert_eq!(api.post(path, body).await.0, 403, "{path} by {role}");
        }
    }
}
