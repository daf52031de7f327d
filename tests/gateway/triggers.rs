//! Automations triggered by deliveries: a signed message or webhook, through the gateway, to the end of the run.

use luci::process::ProcessRole;
use luci_providers::ProvidersConfig;
use luci_runs::{
    clock::{self, ClockOptions},
    core::RunCommand,
    issue::Issuer,
};
use luci_sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    automations::{history, made, of, saved, types},
    deliveries::{SECRET, Sent, deliver, hex_mac, token, twilio},
    fixture::{import, issue, still, whole},
};
use crate::support::{Api, System, SystemOptions, probes, system_with};

const OURS: &str = "+12125550100";

/// A sector that gets three members by the run, their numbers ending in 0000 to 0002.
async fn sector_and_run(api: &Api) -> (String, String) {
    let (status, sector) = api.post("/api/sectors", &json!({"name": "North"})).await;
    assert_eq!(status, 201, "{sector}");
    let sector = sector["sectorId"].as_str().expect("an id").to_owned();
    let import = import(api, 3).await;
    let (_, run) = api.post("/api/pipelines", &json!({"importId": import, "sectorId": sector})).await;
    (sector, run["runId"].as_str().expect("an id").to_owned())
}

async fn sector(system: &System) -> String {
    let (sector, run) = sector_and_run(&system.api).await;
    assert_eq!(system.api.run_ended(&run).await["run"]["status"], "completed");
    sector
}

/// A text message as SignalHouse delivers it, signed.
fn message(id: &str, from: &str, text: &str) -> Sent {
    let body =
        json!({"event": "message.received", "message_id": id, "from": from, "to": OURS, "text": text}).to_string();
    Sent { headers: vec![("x-signalhouse-signature", format!("sha256={}", hex_mac(&body)))], body }
}

fn generic(id: &str, event: &str) -> Sent {
    let body = json!({"event": event, "order": id}).to_string();
    let headers = vec![("x-luci-signature", format!("sha256={}", hex_mac(&body))), ("webhook-id", id.to_owned())];
    Sent { headers, body }
}

/// Sends a delivery; whether it was a duplicate.
async fn taken(api: &Api, path: &str, sent: &Sent) -> bool {
    let (status, answer) = deliver(api, path, sent).await;
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str::<Value>(&answer).is_ok_and(|answer| answer["duplicate"] == true)
}

fn fired(recent: &[Value]) -> Vec<String> {
    let runs = of(recent, "automation:fired").into_iter();
    runs.map(|fired| fired["runId"].as_str().expect("a run").to_owned()).collect()
}

/// Its one run or runs, completed over the sector's three leads.
async fn completed(api: &Api, id: &str, runs: usize, trigger: &str) {
    let recent = history(api, id, |recent| fired(recent).len() == runs).await;
    for run in fired(&recent) {
        let ended = api.run_ended(&run).await;
        let run = &ended["run"];
        assert_eq!((&run["status"], &run["totalLeads"]), (&json!("completed"), &json!(3)), "{run}");
        assert_eq!((&run["triggeredBy"], &run["triggerType"]), (&json!(format!("automation:{id}")), &json!(trigger)));
    }
}

#[tokio::test]
async fn a_message_starts_one_run_where_both_sets_of_conditions_hold() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let sector = sector(&system).await;
    let interest = json!({"field": "class", "op": "in", "value": ["interest", "question"]});
    let has_lead = json!({"field": "leadId", "op": "exists"});
    let trigger = json!({"type": "message_received", "conditions": [interest]});
    let id =
        made(api, &json!({"name": "warm", "sectorId": sector, "trigger": trigger, "conditions": [has_lead]})).await;
    let path = token(api, &json!({"source": "signalhouse", "signingSecret": SECRET})).await;
    let mut forged = message("in0", "+12125550000", "Yes, call me");
    forged.body = forged.body.replace("0000", "0001");
    assert_eq!(deliver(api, &path, &forged).await.0, 403);
    // First the trigger's condition does not hold, then the automation's: no lead has that number.
    assert!(!taken(api, &path, &message("in1", "+12125550002", "wrong number")).await);
    assert!(!taken(api, &path, &message("in2", "+12129990000", "Yes, call me")).await);
    let yes = message("in3", "+12125550000", "Yes, call me");
    assert!(!taken(api, &path, &yes).await);
    assert!(taken(api, &path, &yes).await, "a delivery that comes again");
    completed(api, &id, 1, "automation").await;
    // Another message, which Twilio brings by the number alone, is another run.
    // The number is asked for at the sandbox's carrier, before the tenant has an account of its own.
    assert_eq!(api.post("/api/sending/numbers", &json!({"number": OURS, "provider": "twilio"})).await.0, 202);
    let account = json!({"key": SECRET, "account": "AC1"});
    let put = api.request(reqwest::Method::PUT, "/api/providers/twilio").json(&account);
    assert_eq!(put.send().await.expect("an answer").status(), 202);
    let fields = [("MessageSid", "SM1"), ("From", "+12125550001"), ("To", OURS), ("Body", "How much is it?")];
    let asks = twilio(api, "/api/webhooks/twilio", &fields);
    taken(api, "/api/webhooks/twilio", &asks).await;
    taken(api, "/api/webhooks/twilio", &asks).await;
    completed(api, &id, 2, "automation").await;
    let types = types(&system.running.log).await;
    let count = |kind: &str| types.iter().filter(|found| *found == kind).count();
    assert_eq!((count("message:received"), count("automation:fired"), count("automation:skipped")), (4, 2, 0));
    assert_eq!(count("run:queued"), 3, "the sector's own and these two");
}

#[tokio::test]
async fn a_webhook_starts_the_automation_that_its_address_was_made_for() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let sector = sector(&system).await;
    let paid = json!({"type": "webhook", "conditions": [{"field": "kind", "op": "eq", "value": "order.paid"}]});
    let generic_only = json!([{"field": "source", "op": "eq", "value": "generic"}]);
    let spec = json!({"name": "a", "sectorId": sector, "trigger": paid, "conditions": generic_only});
    let (ours, other) = (made(api, &spec).await, made(api, &spec).await);
    let address = |purpose: String| json!({"source": "generic", "signingSecret": SECRET, "purpose": purpose});
    let path = token(api, &address(format!("automation:{ours}"))).await;
    let status = token(api, &address("status".into())).await;
    let stripe = json!({"source": "apollo", "purpose": format!("automation:{ours}")});
    let unsigned = token(api, &stripe).await;
    assert!(!taken(api, &status, &generic("o1", "order.paid")).await, "a status-only address");
    assert!(!taken(api, &path, &generic("o2", "order.refunded")).await, "the trigger's condition");
    let apollo = Sent { headers: vec![], body: r#"{"event":"order.paid"}"#.into() };
    assert!(!taken(api, &unsigned, &apollo).await, "the automation's condition");
    let mut forged = generic("o3", "order.paid");
    forged.body = forged.body.replace("o3", "o4");
    assert_eq!(deliver(api, &path, &forged).await.0, 403);
    assert!(!taken(api, &path, &generic("o5", "order.paid")).await);
    assert!(taken(api, &path, &generic("o5", "order.paid")).await);
    completed(api, &ours, 1, "webhook").await;
    assert!(!taken(api, &path, &generic("o6", "order.paid")).await);
    completed(api, &ours, 2, "webhook").await;
    assert_eq!(fired(&history(api, &other, |_| true).await), Vec::<String>::new());
    let types = types(&system.running.log).await;
    assert_eq!(types.iter().filter(|kind| *kind == "run:queued").count(), 3);
}

#[tokio::test]
async fn conditions_read_the_webhook_payload_and_the_log_does_not_store_it() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let sector = sector(&system).await;
    let large = json!({"field": "payload.order.total", "op": "gte", "value": 100});
    let not_ann = json!({"not": {"field": "payload.order.buyer", "op": "startsWith", "value": "Ann"}});
    let trigger = json!({"type": "webhook", "conditions": [large]});
    let id = made(api, &json!({"name": "p", "sectorId": sector, "trigger": trigger, "conditions": [not_ann]})).await;
    let purpose = format!("automation:{id}");
    let path = token(api, &json!({"source": "generic", "signingSecret": SECRET, "purpose": purpose})).await;
    for (order, total, buyer) in [("o1", 99, "Bo Lee"), ("o2", 100, "Ann Lee"), ("o3", 100, "Bo Lee")] {
        let body = json!({"event": "order.paid", "order": {"id": order, "total": total, "buyer": buyer}}).to_string();
        let headers = vec![("x-luci-signature", format!("sha256={}", hex_mac(&body)))];
        assert!(!taken(api, &path, &Sent { headers, body }).await);
    }
    completed(api, &id, 1, "webhook").await;
    let recent = history(api, &id, |_| true).await;
    let pool = system.database.pool().await;
    let count = |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool);
    assert_eq!(fired(&recent).len(), 1);
    let webhooks = "select count(*) from log.events where event_type = 'webhook:received'";
    let leaked =
        "select count(*) from log.events where data::text ~ 'Lee' and event_type ~ '^(webhook|automation|run):'";
    assert_eq!((count(webhooks).await.expect("a count"), count(leaked).await.expect("a count")), (3, 0));
}

#[tokio::test]
async fn an_address_is_made_only_for_an_automation_that_waits_for_webhooks() {
    let system = still().await;
    let (_, other) = system.other_tenant("other").await;
    let (_, sectors) = system.api.get("/api/sectors?limit=1").await;
    let sector = &sectors["sectors"][0]["sectorId"];
    let hook = made(&system.api, &json!({"name": "h", "sectorId": sector, "trigger": {"type": "webhook"}})).await;
    let leads = made(&system.api, &json!({"name": "l", "trigger": {"type": "lead_created"}})).await;
    let create_token = async |api: &Api, id: &str| {
        let body = json!({"source": "generic", "signingSecret": SECRET, "purpose": format!("automation:{id}")});
        let (status, answer) = api.post("/api/webhook-tokens", &body).await;
        (status.as_u16(), answer["errors"][0]["field"].clone())
    };
    assert_eq!(create_token(&system.api, &hook).await, (201, Value::Null));
    assert_eq!(create_token(&system.api, &leads).await, (422, json!("purpose")));
    assert_eq!(create_token(&other, &hook).await, (422, json!("purpose")), "another tenant's is nobody's");
    assert_eq!(system.api.delete(&format!("/api/automations/{hook}")).await.0, 202);
    assert_eq!(create_token(&system.api, &hook).await, (422, json!("purpose")));
}

#[tokio::test]
async fn deliveries_that_came_while_no_clock_ran_start_one_run_each_when_one_does() {
    let roles = ProcessRole::ALL.into_iter().filter(|role| *role != ProcessRole::Clock).collect();
    let sandbox = Sandbox::start("127.0.0.1:0".parse().expect("an address"), SandboxOptions::default()).await;
    let sandbox = sandbox.expect("a sandbox");
    let providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
    let system = system_with(SystemOptions { roles, providers, ..SystemOptions::default() }).await;
    let api = &system.api;
    let log = &system.running.log;
    let (sector, run) = sector_and_run(api).await;
    issue(&system, &run, RunCommand::Start).await;
    assert_eq!(api.run_ended(&run).await["run"]["status"], "completed");
    let id = made(api, &json!({"name": "w", "sectorId": sector, "trigger": {"type": "webhook"}})).await;
    let purpose = format!("automation:{id}");
    let path = token(api, &json!({"source": "generic", "signingSecret": SECRET, "purpose": purpose})).await;
    for order in ["o1", "o2", "o1"] {
        taken(api, &path, &generic(order, "order.paid")).await;
    }
    let pool = system.database.pool().await;
    for round in 0..2 {
        let stop = CancellationToken::new();
        let options = ClockOptions::owned_by(format!("clock {round}"));
        let reactors = luci_stages::reactors(&Issuer::new(log.clone()), log, &system.storage, &probes());
        let clock = tokio::spawn(clock::run(options, reactors, log.clone(), stop.clone()));
        completed(api, &id, 2, "webhook").await;
        saved(&pool, log).await;
        stop.cancel();
        clock.await.expect("no panic").expect("no error");
        // As if the first clock had saved nothing.
        for sql in [
            "delete from automation_watch",
            "delete from admissions",
            "delete from admission_limits",
            "delete from timers",
            "update log.followers set position = 0 where name = 'clock'",
        ] {
            sqlx::query(sql).execute(&pool).await.expect("forgotten");
        }
    }
    let types = types(log).await;
    assert_eq!(types.iter().filter(|kind| *kind == "automation:fired").count(), 2);
    assert_eq!(types.iter().filter(|kind| *kind == "run:queued").count(), 3);
}
