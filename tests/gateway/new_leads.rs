//! Leads from an API call: all or none, handled like the rows of a file, idempotent by key, one trigger for automations.

use serde_json::{Value, json};

use super::{
    automations::{history, made, of, types},
    fixture::{send_csv, still, whole},
};
use crate::support::{Api, System};

fn lead(n: u64) -> Value {
    json!({"companyName": format!("Firm {n}"), "contactName": "Ada Lee", "phones":
        [{"number": format!("(917) 555-{n:04}"), "kind": "mobile"}], "address": {"city": "New York", "state": "ny"}})
}

fn leads(numbers: impl Iterator<Item = u64>) -> Value {
    json!({"leads": numbers.map(lead).collect::<Vec<_>>()})
}

fn fates(answer: &Value) -> Vec<&str> {
    let leads_answered = answer["leads"].as_array().expect("leads").iter();
    leads_answered.map(|leads_answered| leads_answered["status"].as_str().expect("a name")).collect()
}

async fn count(system: &System, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&system.database.pool().await).await.expect("a count")
}

#[tokio::test]
async fn a_lead_is_normalised_and_settled_like_the_row_of_a_file() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    // The fifth is known from a file; unknown fields are ignored.
    let (_, import) = send_csv(api, "Company,First Name,Last Name,Cell\nOld Firm,Bo,Lee,9175550005\n".into()).await;
    let (_, run) = api.post("/api/pipelines", &json!({"importId": import["importId"]})).await;
    api.run_ended(run["runId"].as_str().expect("a run")).await;
    let existing = api.get("/api/leads").await.1["leads"][0]["leadId"].clone();
    let blocked = json!({"kind": "phone", "value": "+19175550002", "reason": "OPT_OUT"});
    assert_eq!(api.post("/api/suppressions", &blocked).await.0, 202);
    let mut body = leads([1, 2, 1, 5].into_iter());
    body["leads"][3]["email"] = json!("Bo@Lee.co");
    body["leads"][3]["extra"] = json!({"Shoe": "44"});
    let (status, answer) = api.post("/api/leads", &body).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(fates(&answer), ["created", "created", "duplicate", "existing"]);
    let counts = ["created", "existing", "duplicates", "leftOut"].map(|name| answer[name].as_u64().expect("a count"));
    assert_eq!(counts, [2, 1, 1, 0]);
    let leads_answered = &answer["leads"];
    assert_eq!(
        (&leads_answered[2]["duplicateOf"], &leads_answered[2]["leadId"]),
        (&json!(0), &leads_answered[0]["leadId"])
    );
    assert_eq!(
        (&leads_answered[3]["leadId"], &leads_answered[3]["warnings"]),
        (&existing, &json!(["duplicate_existing"]))
    );
    assert_eq!(leads_answered[1]["warnings"], json!(["suppressed"]));
    let of_lead = async |id: &Value| api.get(&format!("/api/leads/{}", id.as_str().expect("an id"))).await.1;
    let (new, old) = (of_lead(&leads_answered[0]["leadId"]).await, of_lead(&existing).await);
    let shown = ["companyName", "contactName", "phone", "state", "status"].map(|name| new[name].clone());
    assert_eq!(shown, ["Firm 1", "Ada Lee", "+19175550001", "NY", "new"]);
    assert_eq!((&new["lead"]["firstName"], &new["rootInputId"]), (&json!("Ada"), &answer["importId"]));
    let filled = (&old["companyName"], &old["lead"]["extra"]["Shoe"]);
    assert_eq!(filled, (&json!("Old Firm"), &json!("44")), "blanks alone: {old}");
    assert!(old.to_string().contains("bo@lee.co"), "one more address");
    // A run on them gives each the same result as the call.
    let (status, run) = api.post("/api/pipelines", &json!({"importId": answer["importId"]})).await;
    assert_eq!(status, 202, "{run}");
    let ended = api.run_ended(run["runId"].as_str().expect("a run")).await;
    assert_eq!((&ended["run"]["status"], &ended["run"]["totalLeads"]), (&json!("completed"), &json!(3)));
    assert_eq!(ended["stages"][1]["metrics"]["successCount"], 3);
    assert_eq!(count(&system, "select count(*) from leads").await, 3);
    let (_, skipped) = api.post("/api/leads", &json!({"leads": [lead(5), lead(6)], "onExisting": "skip"})).await;
    assert_eq!(fates(&skipped), ["left_out", "created"]);
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_by_index_and_nothing_is_half_done() {
    let system = still().await;
    let api = &system.api;
    let before = types(&system.running.log).await;
    let no_phone = json!({"companyName": "Acme"});
    let body =
        json!({"leads": [lead(1), no_phone, lead(2), {"companyName": "B", "phone": "2125550101", "sector": 1}, 7]});
    let (status, problem) = api.post("/api/leads", &body).await;
    assert_eq!(status, 422, "{problem}");
    let fields: Vec<&Value> = problem["errors"].as_array().expect("errors").iter().map(|e| &e["field"]).collect();
    assert_eq!(fields, ["leads[1].phone", "leads[3].sector", "leads[4]"]);
    for (body, field) in [
        (json!({"leads": []}), "leads"),
        (leads(0..1_001), "leads"),
        (json!({}), "leads"),
        (json!({"leads": [lead(1)], "onExisting": "ask"}), "onExisting"),
        (json!({"leads": [lead(1)], "tenantId": "x"}), "tenantId"),
    ] {
        let (status, problem) = api.post("/api/leads", &body).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    for table in ["select count(*) from leads", "select count(*) from lead_keys", "select count(*) from imports"] {
        assert_eq!(count(&system, table).await, 0, "{table}");
    }
    assert_eq!(types(&system.running.log).await, before);
    let (status, answer) = api.post("/api/leads", &leads(0..1_000)).await;
    assert_eq!((status.as_u16(), &answer["created"]), (201, &json!(1_000)), "a thousand at once");
}

#[tokio::test]
async fn the_same_key_brings_the_same_answer_and_no_second_lead() {
    let system = still().await;
    let (_, other) = system.other_tenant("other").await;
    let body = leads(1..4);
    let (status, first) = system.api.post_once("/api/leads", &body, "k1").await;
    let (again, same) = system.api.post_once("/api/leads", &body, "k1").await;
    assert_eq!((status.as_u16(), again.as_u16(), &same), (201, 201, &first));
    assert_eq!(system.api.post_once("/api/leads", &leads(1..5), "k1").await.0, 422, "another body");
    let reader = key_of(&system.api, "viewer").await;
    assert_eq!(reader.post("/api/leads", &body).await.0, 403);
    // For another tenant the same people are other leads, under the same key.
    let (_, theirs) = other.post_once("/api/leads", &body, "k1").await;
    assert_eq!(fates(&theirs), ["created"; 3]);
    let ours = first["leads"][0]["leadId"].as_str().expect("an id");
    assert_eq!(other.get(&format!("/api/leads/{ours}")).await.0, 404);
    let import = json!({"importId": first["importId"]});
    assert_eq!(other.post("/api/pipelines", &import).await.0, 422, "their import is nobody's");
    assert_eq!(count(&system, "select count(*) from leads").await, 6);
    let events = "select count(*) from log.events where event_type in ('lead:created', 'import:completed')";
    assert_eq!(count(&system, events).await, 4);
    let personal = "select count(*) from log.events where data::text ~ '555-?00|Ada|Firm'";
    assert_eq!(count(&system, personal).await, 0);
}

async fn key_of(api: &Api, role: &str) -> Api {
    let (status, made) = api.post("/api/keys", &json!({"name": role, "role": role})).await;
    assert_eq!(status, 201, "{made}");
    Api::new(api.url.clone(), made["key"].as_str().expect("a key"))
}

#[tokio::test]
async fn an_automation_starts_one_run_a_call_on_the_leads_of_the_call() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let several = json!({"type": "lead_created", "conditions": [{"field": "leads", "op": "gte", "value": 2}]});
    let id = made(api, &json!({"name": "welcome", "trigger": several})).await;
    api.post("/api/leads", &leads(9..10)).await;
    let (_, first) = api.post_once("/api/leads", &leads([1, 2, 2, 3].into_iter()), "k").await;
    api.post_once("/api/leads", &leads([1, 2, 2, 3].into_iter()), "k").await;
    let recent = history(api, &id, |recent| of(recent, "automation:fired").len() == 1).await;
    let run = of(&recent, "automation:fired")[0]["runId"].as_str().expect("a run").to_owned();
    let ended = api.run_ended(&run).await;
    let shown = ["status", "totalLeads", "triggeredBy"].map(|name| ended["run"][name].clone());
    assert_eq!(shown, [json!("completed"), json!(3), json!(format!("automation:{id}"))]);
    // A manual run on the same leads does not trigger again; the next call does.
    let (_, hand) = api.post("/api/pipelines", &json!({"importId": first["importId"]})).await;
    api.run_ended(hand["runId"].as_str().expect("a run")).await;
    api.post("/api/leads", &leads(20..25)).await;
    let recent = history(api, &id, |recent| of(recent, "automation:fired").len() > 1).await;
    for fired in of(&recent, "automation:fired") {
        api.run_ended(fired["runId"].as_str().expect("a run")).await;
    }
    let types = types(&system.running.log).await;
    let count = |kind: &str| types.iter().filter(|found| *found == kind).count();
    assert_eq!((count("lead:created"), count("automation:fired"), count("run:queued")), (3, 2, 3));
}
