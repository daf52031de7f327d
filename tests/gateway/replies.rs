//! What people write back: texts that were damaged on the way, the carrier's verdict, holds and their decision, and deliveries
//! that nobody understands.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    deliveries::{SECRET, Sent, deliver, token, twilio},
    fixture::still,
};
use crate::{
    sender::fixture::{queue, to},
    support::{Api, System},
};

const OURS: &str = "+12125550100";

async fn count(system: &System, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&system.database.pool().await).await.expect("a count")
}

/// A message as SignalHouse delivers it, with the text as JSON writes it.
fn says(id: &str, from: &str, text: &str) -> Sent {
    let body =
        format!(r#"{{"event":"message.received","message_id":"{id}","from":"{from}","to":"{OURS}","text":"{text}"}}"#);
    Sent { headers: vec![], body }
}

async fn house(api: &Api) -> String {
    token(api, &json!({"source": "signalhouse"})).await
}

#[tokio::test]
async fn a_damaged_stop_is_an_opt_out_and_a_reaction_is_none() {
    let system = still().await;
    let path = house(&system.api).await;
    queue(&system.running.pool, system.tenant, "import_a", 4).await;
    let liked = "Liked “Hi Ann, are you the right person to talk to about Acme in Austin? Reply STOP to opt out.”";
    for (row, text) in [(1, r"STOP\u0000"), (2, r"STOP \ud83d"), (3, liked)] {
        let (status, answer) = deliver(&system.api, &path, &says(&format!("m{row}"), &to(row), text)).await;
        assert_eq!(status, 200, "{text}: {answer}");
    }
    assert_eq!(count(&system, "select count(*) from suppressions where reason = 'OPT_OUT'").await, 2);
    let keyword = "select count(*) from suppressions s join webhook_events w on w.id = s.webhook_id
                    where s.origin = 'keyword' and s.rule = 'keyword:stop' and w.class = 'opt_out'";
    assert_eq!(count(&system, keyword).await, 2);
    assert_eq!(count(&system, "select count(*) from sms_queue where status = 'pending'").await, 2);
    assert_eq!(count(&system, "select count(*) from webhook_events where class = 'reaction'").await, 1);
    let (_, listed) = system.api.get("/api/suppressions").await;
    let first = &listed["suppressions"][0];
    assert_eq!((&first["origin"], &first["removable"]), (&json!("keyword"), &json!(false)));
    let remove = json!({"kind": "phone", "value": to(1)});
    assert_eq!(system.api.post("/api/suppressions/remove", &remove).await.0, 409, "a keyword stays");
}

#[tokio::test]
async fn twilio_s_verdict_opts_out_whatever_the_words() {
    let system = still().await;
    assert_eq!(system.api.post("/api/sending/numbers", &json!({"number": "72345", "provider": "twilio"})).await.0, 202);
    let account = json!({"key": SECRET, "account": "AC1"});
    let request = system.api.request(Method::PUT, "/api/providers/twilio").json(&account);
    assert_eq!(request.send().await.expect("an answer").status(), 202);
    let path = "/api/webhooks/twilio";
    let from = to(1);
    let fields = [
        ("MessageSid", "SM9"),
        ("From", from.as_str()),
        ("To", "72345"),
        ("Body", "ya no mas"),
        ("OptOutType", "STOP"),
    ];
    let (status, answer) = deliver(&system.api, path, &twilio(&system.api, path, &fields)).await;
    assert_eq!(status, 200, "a short code is a receiver: {answer}");
    let nul = [
        ("MessageSid", "SM1"),
        ("From", from.as_str()),
        ("To", "72345"),
        ("Body", "STOP\0"),
        ("SmsStatus", "received"),
    ];
    assert_eq!(deliver(&system.api, path, &twilio(&system.api, path, &nul)).await.0, 200);
    let by_carrier = "select count(*) from suppressions where origin = 'carrier' and rule = 'carrier:stop'";
    assert_eq!(count(&system, by_carrier).await, 1);
    let remove = json!({"kind": "phone", "value": from});
    assert_eq!(system.api.post("/api/suppressions/remove", &remove).await.0, 409, "the carrier's stays");
}

#[tokio::test]
async fn what_may_be_an_opt_out_waits_for_a_person() {
    let system = still().await;
    let (_, other) = system.other_tenant("other").await;
    let path = house(&system.api).await;
    queue(&system.running.pool, system.tenant, "import_a", 2).await;
    deliver(&system.api, &path, &says("m1", &to(1), "End of the month works for me")).await;
    deliver(&system.api, &path, &says("m2", &to(2), "Stop by my office tomorrow")).await;
    assert_eq!(count(&system, "select count(*) from suppressions").await, 0);
    let (_, page) = system.api.get("/api/holds?limit=1").await;
    let newest = &page["holds"][0];
    assert_eq!((&newest["number"], &newest["waiting"], &page["hasMore"]), (&json!(to(2)), &json!(1), &json!(true)));
    assert_eq!(newest["text"], "Stop by my office tomorrow");
    let (_, messages) = system.api.get("/api/messages?status=pending").await;
    assert_eq!(messages["messages"][0]["waitingFor"]["reason"], "hold", "{messages}");
    assert_eq!(other.get("/api/holds").await.1["holds"], json!([]));
    let one = json!({"number": to(1)});
    assert_eq!(other.post("/api/holds/release", &one).await.0, 404);
    let member = key(&system, "member").await;
    assert_eq!(member.post("/api/holds/release", &one).await.0, 403);
    assert_eq!(system.api.post("/api/holds/release", &one).await.0, 202);
    assert_eq!(system.api.post("/api/holds/release", &one).await.0, 404, "decided once");
    assert_eq!(system.api.post("/api/holds/suppress", &json!({"number": to(2)})).await.0, 202);
    assert_eq!(system.api.get("/api/holds").await.1["holds"], json!([]));
    assert_eq!(count(&system, "select count(*) from sms_queue where status = 'pending'").await, 1);
    assert_eq!(count(&system, "select count(*) from suppressions where reason = 'OPT_OUT'").await, 1);
    let events = "select count(*) from log.events where event_type in ('hold:released', 'hold:suppressed')
                  and actor like 'actor:%' and data::text not like '%+1917%'";
    assert_eq!(count(&system, events).await, 2);
}

#[tokio::test]
async fn an_admin_lifts_what_a_rule_made() {
    let system = still().await;
    let path = house(&system.api).await;
    queue(&system.running.pool, system.tenant, "import_a", 1).await;
    deliver(&system.api, &path, &says("m1", &to(1), "Please lose my number")).await;
    assert_eq!(count(&system, "select count(*) from leads where status = 'dnc'").await, 1);
    let remove = json!({"kind": "phone", "value": to(1)});
    let (status, answer) = system.api.post("/api/suppressions/remove", &remove).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(count(&system, "select count(*) from suppressions").await, 0);
    assert_eq!(count(&system, "select count(*) from leads where status = 'dnc'").await, 0);
    // Of a rule's opt-out a keyword makes one that stays.
    deliver(&system.api, &path, &says("m2", &to(1), "please stop texting me")).await;
    deliver(&system.api, &path, &says("m3", &to(1), "STOP")).await;
    assert_eq!(system.api.post("/api/suppressions/remove", &remove).await.0, 409);
}

async fn key(system: &System, role: &str) -> Api {
    let (status, made) = system.api.post("/api/keys", &json!({"role": role, "name": role})).await;
    assert_eq!(status, 201, "{made}");
    Api::new(system.api.url.clone(), made["key"].as_str().expect("a key"))
}

#[tokio::test]
async fn a_delivery_that_nobody_understands_is_listed_until_a_person_resolves_it() {
    let system = still().await;
    let (_, other) = system.other_tenant("other").await;
    let path = house(&system.api).await;
    for body in ["{\"event\":\"message.received\",\"content\":\"STOP\"}", "not JSON"] {
        let sent = Sent { headers: vec![], body: body.into() };
        assert_eq!(deliver(&system.api, &path, &sent).await.0, 200, "{body}");
    }
    let (_, page) = system.api.get("/api/unread-webhooks").await;
    let reasons: Vec<&Value> = page["unread"].as_array().expect("a list").iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, [&json!("no_json"), &json!("no_sender")]);
    let id = page["unread"][1]["webhookId"].as_str().expect("an id").to_owned();
    let (_, one) = system.api.get(&format!("/api/unread-webhooks/{id}")).await;
    assert!(one["body"].as_str().is_some_and(|body| body.contains("STOP")), "{one}");
    let resolve = format!("/api/unread-webhooks/{id}/resolve");
    assert_eq!(other.get(&format!("/api/unread-webhooks/{id}")).await.0, 404);
    assert_eq!(other.post(&resolve, &json!({})).await.0, 404);
    assert_eq!(system.api.post(&resolve, &json!({"note": "suppressed by hand"})).await.0, 202);
    assert_eq!(system.api.post(&resolve, &json!({})).await.0, 202, "again is no error");
    let (_, page) = system.api.get("/api/unread-webhooks").await;
    assert_eq!(page["unread"].as_array().map(Vec::len), Some(1));
    assert_eq!(count(&system, "select count(*) from log.events where event_type = 'webhook:resolved'").await, 1);
}

#[tokio::test]
async fn a_report_of_a_send_that_is_not_known_yet_is_kept() {
    let system = still().await;
    let path = house(&system.api).await;
    let body = json!({"event": "message.delivered", "message_id": "early-1", "to": to(1)}).to_string();
    assert_eq!(deliver(&system.api, &path, &Sent { headers: vec![], body }).await.0, 200);
    assert_eq!(count(&system, "select count(*) from early_reports where status = 'delivered'").await, 1);
}
