//! Messages, attempts, templates, suppressions and settings of sending, through the API.

use luci::process::ProcessRole;
use luci_schema::Micros;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::still;
use crate::{
    sender::fixture::{noon, queue, queue_rows, to},
    support::{Api, System, SystemOptions, system_with},
};

async fn drafts(system: &System, count: u64) -> Vec<String> {
    let ids = queue(&system.running.pool, system.tenant, "import_drafts", count).await;
    set(system, "update sms_queue set status = 'draft'").await;
    ids.iter().map(ToString::to_string).collect()
}

async fn set(system: &System, sql: &'static str) {
    sqlx::query(sql).execute(&system.database.pool().await).await.expect("updated");
}

async fn message(api: &Api, id: &str) -> Value {
    let (_, page) = api.get("/api/messages").await;
    page["messages"].as_array().expect("a list").iter().find(|m| m["messageId"] == id).expect("listed").clone()
}

#[tokio::test]
async fn a_draft_is_approved_edited_or_rejected_once() {
    let system = still().await;
    let (api, ids) = (&system.api, drafts(&system, 3).await);
    let (status, answer) = api.post(&format!("/api/messages/{}/approve", ids[0]), &json!({})).await;
    assert_eq!((status.as_u16(), &answer["status"]), (202, &json!("approved")), "{answer}");
    // Already in effect: nothing is appended.
    assert_eq!(api.post(&format!("/api/messages/{}/approve", ids[0]), &json!({})).await.0, 202);
    let approved = "select count(*) from log.events where event_type = 'message:approved'";
    let appended: i64 = sqlx::query_scalar(approved).fetch_one(&system.database.pool().await).await.expect("a count");
    assert_eq!(appended, 1);
    let edited = json!({"body": format!("Shall we talk? {}", "x".repeat(160))});
    let (status, _) = api.post_once(&format!("/api/messages/{}/approve", ids[1]), &edited, "k").await;
    assert_eq!(status, 202);
    let (status, _) = api.post_once(&format!("/api/messages/{}/approve", ids[1]), &json!({}), "k").await;
    assert_eq!(status, 422, "the same key with another body");
    let shown = message(api, &ids[1]).await;
    assert!(shown["body"].as_str().expect("text").ends_with("Reply STOP to opt out."), "{shown}");
    assert_eq!(shown["segments"], 2);
    let (status, _) = api.post(&format!("/api/messages/{}/reject", ids[2]), &json!({})).await;
    assert_eq!(status, 202);
    let (status, problem) = api.post(&format!("/api/messages/{}/approve", ids[2]), &json!({})).await;
    assert_eq!((status.as_u16(), &problem["status"]), (409, &json!(409)));
    assert_eq!(problem["messageStatus"], "rejected");
    let (status, problem) = api.post(&format!("/api/messages/{}/approve", ids[2]), &json!({"text": "x"})).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("text")));
    let (status, _) = api.get("/api/messages?status=gone").await;
    assert_eq!(status, 422);
    let (_, page) = api.get("/api/messages?status=approved&limit=1").await;
    assert_eq!((page["messages"].as_array().map(Vec::len), &page["hasMore"]), (Some(1), &json!(true)));
    let next = format!("/api/messages?status=approved&cursor={}", page["nextCursor"].as_str().expect("a cursor"));
    assert_eq!(api.get(&next).await.1["messages"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn drafts_of_a_run_are_decided_together() {
    let system = still().await;
    let ids = drafts(&system, 5).await;
    let other = queue_rows(&system.running.pool, system.tenant, "import_other", 6..=6, "test").await;
    set(&system, "update sms_queue set status = 'draft'").await;
    let run = message(&system.api, &ids[0]).await["runId"].clone();
    let tally = |answer: &Value| ["matched", "decided", "left"].map(|name| answer[name].as_u64().expect("a number"));
    let (status, answer) = system.api.post("/api/messages/approve", &json!({"runId": run, "dryRun": true})).await;
    assert_eq!((status.as_u16(), tally(&answer)), (200, [5, 0, 5]));
    let two = json!({"runId": run, "limit": 2});
    let (status, answer) = system.api.post_once("/api/messages/approve", &two, "k").await;
    assert_eq!((status.as_u16(), tally(&answer)), (202, [5, 2, 3]), "{answer}");
    assert_eq!(system.api.post_once("/api/messages/approve", &two, "k").await.1, answer, "the same command again");
    // For another tenant the drafts do not exist, also when asked a second time.
    let (_, stranger) = system.other_tenant("stranger").await;
    for _ in 0..2 {
        let (status, answer) = stranger.post_once("/api/messages/approve", &json!({"runId": run}), "k").await;
        assert_eq!((status.as_u16(), tally(&answer)), (202, [0, 0, 0]));
    }
    let (_, answer) = system.api.post("/api/messages/reject", &json!({"runId": run})).await;
    assert_eq!(tally(&answer), [3, 3, 0]);
    let states: Vec<Value> = {
        let (_, page) = system.api.get(&format!("/api/messages?runId={}", run.as_str().expect("an id"))).await;
        let mut messages = page["messages"].as_array().expect("a list").clone();
        messages.reverse();
        messages.into_iter().map(|message| message["status"].clone()).collect()
    };
    assert_eq!(states, ["approved", "approved", "rejected", "rejected", "rejected"]);
    assert_eq!(message(&system.api, &other[0].to_string()).await["status"], "draft");
    let events = "select count(*) from log.events where event_type in ('message:approved', 'message:rejected')";
    let appended: i64 = sqlx::query_scalar(events).fetch_one(&system.database.pool().await).await.expect("a count");
    assert_eq!(appended, 5);
    for (body, field) in [
        (json!({}), "runId"),
        (json!({"runId": run, "limit": 0}), "limit"),
        (json!({"campaignId": "spring"}), "campaignId"),
        (json!({"status": "draft"}), "status"),
    ] {
        let (status, problem) = system.api.post("/api/messages/approve", &body).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
}

#[tokio::test]
async fn only_admins_approve_messages() {
    let system = still().await;
    let ids = drafts(&system, 1).await;
    let (_, key) = system.api.post("/api/keys", &json!({"role": "member"})).await;
    let member = Api::new(system.api.url.clone(), key["key"].as_str().expect("a key"));
    assert_eq!(member.post(&format!("/api/messages/{}/approve", ids[0]), &json!({})).await.0, 403);
    assert_eq!(member.post("/api/messages/approve", &json!({})).await.0, 403);
    assert_eq!(member.post("/api/messages/reject", &json!({})).await.0, 403);
    assert_eq!(member.post("/api/suppressions/remove", &json!({"kind": "phone", "value": to(1)})).await.0, 403);
    assert_eq!(member.post("/api/sending", &json!({"dailyLimit": 1})).await.0, 403);
    assert_eq!(member.post("/api/webhook-tokens", &json!({"source": "apollo"})).await.0, 403);
    assert_eq!(member.get("/api/messages").await.0, 200);
}

#[tokio::test]
async fn a_message_with_unknown_outcome_is_settled_by_a_person() {
    let system = still().await;
    let ids = drafts(&system, 2).await;
    set(&system, "update sms_queue set status = 'failed', error_code = 'unknown_outcome'").await;
    assert_eq!(system.api.post(&format!("/api/messages/{}/approve", ids[0]), &json!({})).await.0, 202);
    assert_eq!(system.api.post(&format!("/api/messages/{}/reject", ids[1]), &json!({})).await.0, 202);
    assert_eq!(message(&system.api, &ids[0]).await["status"], "approved");
    assert_eq!(message(&system.api, &ids[1]).await["status"], "rejected");
}

#[tokio::test]
async fn a_message_says_what_it_waits_for() {
    let roles = vec![ProcessRole::Gateway, ProcessRole::Projections, ProcessRole::Relay];
    let system = system_with(SystemOptions { roles, sandbox_accounts: false, ..SystemOptions::default() }).await;
    let ids = drafts(&system, 3).await;
    let wait = async |id: usize| message(&system.api, &ids[id]).await["waitingFor"].clone();
    let sending = async |change: Value| assert_eq!(system.api.post("/api/sending", &change).await.0, 202);
    assert_eq!(wait(0).await, json!({"reason": "approval", "until": null}));
    set(&system, "update sms_queue set status = 'pending'").await;
    assert_eq!(wait(0).await, json!({"reason": "no_carrier", "until": null}));
    let credential = json!({"key": "token", "account": "key"});
    let kept = system.api.request(Method::PUT, "/api/providers/signalhouse").json(&credential).send().await;
    assert_eq!(kept.expect("an answer").status(), 202);
    assert_eq!(wait(0).await["reason"], "no_number");
    // The carrier cannot be asked here.
    set(&system, "insert into sender_numbers (tenant_id, number, provider) select id, '+12125550100', 'signalhouse' from tenants")
        .await;
    let days = json!([1, 2, 3, 4, 5, 6, 7]);
    sending(json!({"timeZone": noon(), "windowFrom": "13:30", "windowTo": "14:00", "days": days})).await;
    let closed = wait(0).await;
    assert_eq!(closed["reason"], "send_window");
    assert!(closed["until"].as_str().expect("a time").contains(":30:00"), "{closed}");
    sending(json!({"windowFrom": "21:30", "windowTo": "22:00"})).await;
    assert_eq!(wait(0).await, json!({"reason": "send_window", "until": null}), "the law's hours never open it");
    sending(json!({"windowFrom": "08:00", "windowTo": "21:00"})).await;
    assert_eq!(wait(0).await, Value::Null, "its turn");
    set(&system, "update sms_queue set scheduled_at = now() + interval '5 minutes' where to_number like '%1'").await;
    assert_eq!(wait(0).await["reason"], "retry");
    set(&system, "update sms_queue set status = 'sent', claimed_at = now() where to_number like '%3'").await;
    assert_eq!((wait(2).await, wait(1).await), (Value::Null, Value::Null));
    sending(json!({"hourlyLimit": 1})).await;
    let full = wait(1).await;
    let frees = "select claimed_at + interval '1 hour' from sms_queue where status = 'sent'";
    let frees: time::OffsetDateTime =
        sqlx::query_scalar(frees).fetch_one(&system.database.pool().await).await.expect("a time");
    assert_eq!(full, json!({"reason": "hourly_limit", "until": Micros::from(frees).rfc3339()}));
    sending(json!({"dailyLimit": 1})).await;
    let full = wait(1).await;
    assert_eq!(full["reason"], "daily_limit");
    assert!(full["until"].as_str().expect("midnight").contains(":00:00"), "{full}");
    sending(json!({"dailyLimit": 0})).await;
    assert_eq!(wait(1).await, json!({"reason": "daily_limit", "until": null}));
}

#[tokio::test]
async fn templates_have_versions_that_stay() {
    let system = still().await;
    let new = json!({"name": "Opener", "body": "Hi {firstName}"});
    let (status, made) = system.api.post("/api/templates", &new).await;
    assert_eq!((status.as_u16(), &made["version"]), (201, &json!(1)), "{made}");
    let id = made["templateId"].as_str().expect("an id");
    let next = json!({"templateId": id, "name": "Opener", "body": "Hello {{firstName}}"});
    assert_eq!(system.api.post("/api/templates", &next).await.1["version"], 2);
    let (_, shown) = system.api.get(&format!("/api/templates/{id}")).await;
    assert_eq!(shown["template"]["version"], 2);
    assert_eq!(shown["versions"][0]["body"], "Hi {firstName}");
    assert_eq!(shown["versions"][1]["body"], "Hello {{firstName}}");
    let moved = json!({"templateId": id, "channel": "email", "name": "Opener", "body": "x"});
    let (status, problem) = system.api.post("/api/templates", &moved).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("channel")));
    assert_eq!(system.api.get("/api/templates").await.1["templates"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn suppressions_are_added_and_taken_away_where_they_can_be_reviewed() {
    let system = still().await;
    let add = |value: &str, reason: &str| json!({"kind": "phone", "value": value, "reason": reason});
    assert_eq!(system.api.post("/api/suppressions", &add("(917) 555-0101", "BLACKLIST")).await.0, 202);
    assert_eq!(system.api.post("/api/suppressions", &add("9175550102", "OPT_OUT")).await.0, 202);
    let (status, problem) = system.api.post("/api/suppressions", &add("12", "BLACKLIST")).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("value")));
    let (_, page) = system.api.get("/api/suppressions").await;
    assert_eq!(page["suppressions"][0]["value"], "+19175550101");
    let remove = |value: &str| json!({"kind": "phone", "value": value});
    assert_eq!(system.api.post("/api/suppressions/remove", &remove("9175550101")).await.0, 202);
    assert_eq!(system.api.post("/api/suppressions/remove", &remove("9175550101")).await.0, 404);
    let (status, problem) = system.api.post("/api/suppressions/remove", &remove("9175550102")).await;
    assert_eq!((status.as_u16(), &problem["reason"]), (409, &json!("OPT_OUT")));
}

#[tokio::test]
async fn invalid_settings_are_named_and_a_number_belongs_to_one_tenant() {
    let system = still().await;
    for (change, field) in [
        (json!({"windowFrom": "9"}), "windowFrom"),
        (json!({"windowTo": "08:00"}), "windowTo"),
        (json!({"days": [0]}), "days"),
        (json!({"timeZone": "Mars/Olympus"}), "timeZone"),
        (json!({"voiceUrl": "call me"}), "voiceUrl"),
        (json!({"window": "9-17"}), "window"),
    ] {
        let (status, problem) = system.api.post("/api/sending", &change).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    let change = json!({"dailyLimit": 7, "timeZone": "America/New_York", "days": [1, 6]});
    assert_eq!(system.api.post("/api/sending", &change).await.0, 202);
    let number = json!({"number": "(212) 555-0100", "provider": "twilio"});
    assert_eq!(system.api.post("/api/sending/numbers", &number).await.0, 202);
    let (_, shown) = system.api.get("/api/sending").await;
    assert_eq!((&shown["settings"]["dailyLimit"], &shown["settings"]["windowFrom"]), (&json!(7), &json!("09:00")));
    assert_eq!(shown["numbers"][0]["number"], "+12125550100");
    let (_, other) = system.other_tenant("other").await;
    let (status, taken) = other.post("/api/sending/numbers", &number).await;
    let foreign = json!({"number": "+19995550100", "provider": "twilio"});
    let (_, foreign) = other.post("/api/sending/numbers", &foreign).await;
    assert_eq!((status.as_u16(), &taken["errors"]), (422, &foreign["errors"]), "nobody learns who has a number");
    let gone = json!({"number": "212-555-0100"});
    assert_eq!(other.post("/api/sending/numbers/remove", &gone).await.0, 404);
    assert_eq!(system.api.post("/api/sending/numbers/remove", &gone).await.0, 202);
    assert_eq!(other.post("/api/sending/numbers", &number).await.0, 202);
}

#[tokio::test]
async fn a_number_is_added_when_the_account_at_the_carrier_has_it() {
    let system = still().await;
    let add = async |number: &str, provider: &str| {
        let (status, problem) =
            system.api.post("/api/sending/numbers", &json!({"number": number, "provider": provider})).await;
        (status.as_u16(), problem["errors"][0]["field"].as_str().unwrap_or_default().to_owned())
    };
    for (number, provider) in [
        ("+12125550101", "signalhouse"),
        // On the third page of the account's list.
        ("+16465550042", "signalhouse"),
        ("+12125550102", "twilio"),
        ("72345", "twilio"),
        ("MG00000000000000000000000000000001", "twilio"),
    ] {
        assert_eq!(add(number, provider).await, (202, String::new()), "{number} at {provider}");
    }
    for (number, provider) in [
        ("+19995550101", "signalhouse"),
        ("+19995550101", "twilio"),
        ("72346", "twilio"),
        ("MG00000000000000000000000000000002", "twilio"),
    ] {
        assert_eq!(add(number, provider).await, (422, "number".into()), "{number} at {provider}");
    }
    // The tenant's own credential is asked with, and the carrier refuses it.
    let own = json!({"key": "wrong", "account": "ACother"});
    let (status, problem) = system
        .api
        .request(reqwest::Method::PUT, "/api/providers/twilio")
        .json(&own)
        .send()
        .await
        .map(|response| (response.status(), response))
        .expect("an answer");
    assert_eq!(status, 202, "{:?}", problem.text().await);
    assert_eq!(add("+12125550103", "twilio").await, (422, "provider".into()));
}
