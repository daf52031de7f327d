//! Webhook deliveries of every source: accepted once with a valid signature, refused otherwise, separate by tenant.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    deliveries::{SECRET, Sent, deliver, now, signed, stripe, token, twilio},
    fixture::still,
};
use crate::{
    sender::fixture::{queue, to},
    support::System,
};

const OURS: &str = "+12125550100";

async fn count(system: &System, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&system.database.pool().await).await.expect("a count")
}

#[tokio::test]
async fn each_source_is_accepted_once_when_its_signature_is_valid() {
    let system = still().await;
    let (_, other) = system.other_tenant("other").await;
    for (source, secret, good, bad) in signed() {
        let path = token(&system.api, &json!({"source": source, "signingSecret": secret})).await;
        let (status, problem) = deliver(&system.api, &path, &bad).await;
        assert_eq!(status, 403, "{source}: {problem}");
        assert!(!problem.contains(SECRET));
        let (status, first) = deliver(&system.api, &path, &good).await;
        assert_eq!(status, 200, "{source}: {first}");
        let first: Value = serde_json::from_str(&first).expect("JSON");
        assert_eq!(first["duplicate"], false);
        let (status, again) = deliver(&system.api, &path, &good).await;
        let again: Value = serde_json::from_str(&again).expect("JSON");
        assert_eq!((status.as_u16(), &again["duplicate"]), (200, &json!(true)), "{source}: a replay");
        assert_eq!(again["webhookId"], first["webhookId"]);
        // The same delivery for another tenant is another delivery, and a token is of one source.
        let theirs = token(&other, &json!({"source": source, "signingSecret": secret})).await;
        let (_, answer) = deliver(&other, &theirs, &good).await;
        assert_ne!(serde_json::from_str::<Value>(&answer).expect("JSON")["webhookId"], first["webhookId"]);
        let strange = path.replace(&format!("/{source}/"), "/apollo/");
        assert_eq!(deliver(&system.api, &strange, &good).await.0, 404, "{source}: a token of another source");
    }
    let events = "select count(*) from log.events where event_type = 'webhook:received'";
    assert_eq!((count(&system, events).await, count(&system, "select count(*) from webhook_events").await), (12, 12));
    assert_eq!(count(&system, "select count(*) from suppressions where value = 'ann@acme.co'").await, 2);
    let stored: Vec<String> = sqlx::query_scalar("select object_path from webhook_events where source = 'stripe'")
        .fetch_all(&system.database.pool().await)
        .await
        .expect("paths");
    let object = system.storage.get(&stored[0]).await.expect("an object");
    let object: Value = serde_json::from_slice(&object).expect("JSON");
    assert_eq!(object["body"], r#"{"id":"evt_1","type":"invoice.paid"}"#);
    assert_eq!(object["verifiedBy"], "hmac");
    assert!(object["headers"].get("stripe-signature").is_none(), "{object}");
}

#[tokio::test]
async fn a_token_alone_is_proof_where_a_source_cannot_sign_and_ends_when_revoked() {
    let system = still().await;
    for source in ["stripe", "sendgrid", "realestate", "tracerfy", "generic"] {
        let (status, problem) = system.api.post("/api/webhook-tokens", &json!({"source": source})).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("signingSecret")), "{source}");
    }
    let (_, made) = system.api.post("/api/webhook-tokens", &json!({"source": "apollo"})).await;
    let path = made["path"].as_str().expect("a path");
    let sent = Sent { headers: vec![], body: r#"{"people":[]}"#.into() };
    assert_eq!(deliver(&system.api, path, &sent).await.0, 200);
    let (_, listed) = system.api.get("/api/webhook-tokens").await;
    assert!(!listed.to_string().contains(made["token"].as_str().expect("a token")));
    let revoke = format!("/api/webhook-tokens/{}", made["tokenId"].as_str().expect("an id"));
    assert_eq!(system.api.delete(&revoke).await.0, 202);
    assert_eq!(deliver(&system.api, path, &sent).await.0, 404);
    assert_eq!(deliver(&system.api, "/api/webhooks/apollo/hook_nobody", &sent).await.0, 404);
    assert_eq!(deliver(&system.api, "/api/webhooks/stripe", &sent).await.0, 404, "only by number");
    assert_eq!(deliver(&system.api, "/api/webhooks/nobody/x", &sent).await.0, 404);
}

#[tokio::test]
async fn an_old_stripe_signature_is_refused() {
    let system = still().await;
    let path = token(&system.api, &json!({"source": "stripe", "signingSecret": SECRET})).await;
    let body = r#"{"id":"evt_2","type":"invoice.paid"}"#;
    let sent = |at| Sent { headers: vec![("stripe-signature", stripe(at, body))], body: body.into() };
    let (status, problem) = deliver(&system.api, &path, &sent(now() - 301)).await;
    assert!(status == 403 && problem.contains("too old"), "{problem}");
    assert_eq!(deliver(&system.api, &path, &sent(now() - 200)).await.0, 200);
}

#[tokio::test]
async fn twilio_is_found_by_the_receiving_number_and_answered_in_its_format() {
    let system = still().await;
    let number = json!({"number": OURS, "provider": "twilio"});
    assert_eq!(system.api.post("/api/sending/numbers", &number).await.0, 202);
    let account = json!({"key": SECRET, "account": "AC1"});
    let request = system.api.request(Method::PUT, "/api/providers/twilio").json(&account);
    assert_eq!(request.send().await.expect("an answer").status(), 202);
    queue(&system.running.pool, system.tenant, "import_twilio", 2).await;
    let (_, other) = system.other_tenant("other").await;
    let stranger = other_queue(&system).await;
    let path = "/api/webhooks/twilio";
    let writer = to(1);
    let fields =
        [("MessageSid", "SM1"), ("From", writer.as_str()), ("To", OURS), ("Body", "STOP"), ("SmsStatus", "received")];
    let sent = twilio(&system.api, path, &fields);
    let mut forged = twilio(&system.api, path, &fields);
    forged.body = forged.body.replace("0001", "0002");
    assert_eq!(deliver(&system.api, path, &forged).await.0, 403);
    let (status, answer) = deliver(&system.api, path, &sent).await;
    assert!(status == 200 && answer.ends_with("<Response/>"), "{answer}");
    assert_eq!(deliver(&system.api, path, &sent).await.0, 200, "a replay is answered alike");
    let cancelled = "select count(*) from sms_queue where status = 'cancelled' and error_code = 'opt_out'";
    assert_eq!(count(&system, cancelled).await, 1);
    assert_eq!(count(&system, "select count(*) from sms_queue where status = 'pending'").await, 1 + stranger);
    assert_eq!(count(&system, "select count(*) from leads where status = 'dnc'").await, 1, "the tenant's own alone");
    let (_, hidden) = other.get("/api/suppressions").await;
    assert_eq!(hidden["suppressions"], json!([]));
    let received =
        "select count(*) from log.events where event_type = 'message:received' and data::text like '%opt_out%'";
    assert_eq!(count(&system, received).await, 1);
    assert_eq!(count(&system, "select count(*) from log.events where data::text like '%91755500%'").await, 0);
}

/// Another tenant has a lead with the same number.
async fn other_queue(system: &System) -> i64 {
    let pool = system.database.pool().await;
    let other: luci_schema::TenantId =
        sqlx::query_scalar("select id from tenants where slug = 'other'").fetch_one(&pool).await.expect("a tenant");
    queue(&system.running.pool, other, "import_other", 1).await;
    1
}

#[tokio::test]
async fn opt_outs_cancel_queued_messages_and_start_lifts_them() {
    let system = still().await;
    let path = token(&system.api, &json!({"source": "signalhouse"})).await;
    queue(&system.running.pool, system.tenant, "import_house", 3).await;
    let pool = system.database.pool().await;
    for sql in [
        "update sms_queue set status = 'draft' where to_number like '%1'",
        "update sms_queue set status = 'sent', sent_at = now(), provider_message_id = 'm2' where to_number like '%2'",
    ] {
        sqlx::query(sql).execute(&pool).await.expect("updated");
    }
    let mut number = 0;
    let mut says = |row: u64, text: &str| {
        number += 1;
        let body = json!({"event": "message.received", "message_id": format!("in{number}"), "from": to(row), "to": OURS,
            "text": text});
        Sent { headers: vec![], body: body.to_string() }
    };
    for (row, text) in [(1, "Stop"), (2, "Send it, I am free at the weekend"), (3, "wrong number")] {
        assert_eq!(deliver(&system.api, &path, &says(row, text)).await.0, 200);
    }
    assert_eq!(count(&system, "select count(*) from sms_queue where status = 'cancelled'").await, 2, "drafts too");
    assert_eq!(count(&system, "select count(*) from leads where status = 'dnc'").await, 1);
    let reasons =
        "select count(*) from suppressions where reason in ('OPT_OUT', 'WRONG_NUMBER') and source = 'message'";
    assert_eq!(count(&system, reasons).await, 2);
    let classes: Vec<String> =
        sqlx::query_scalar("select class from webhook_events where class is not null order by id")
            .fetch_all(&pool)
            .await
            .expect("classes");
    assert_eq!(classes, ["opt_out", "content_permission", "wrong_number"]);
    assert_eq!(deliver(&system.api, &path, &says(1, "START")).await.0, 200);
    assert_eq!(count(&system, "select count(*) from suppressions where reason = 'OPT_OUT'").await, 0);
    assert_eq!(count(&system, "select count(*) from leads where status = 'dnc'").await, 0);
}

#[tokio::test]
async fn reports_change_the_attempt_whatever_their_order() {
    let system = still().await;
    let path = token(&system.api, &json!({"source": "signalhouse"})).await;
    let ids = queue(&system.running.pool, system.tenant, "import_reports", 1).await;
    let pool = system.database.pool().await;
    sqlx::query(
        "insert into attempt_logs (tenant_id, id, lead_id, run_id, block_id, campaign_id, queue_id, channel, status,
                                   provider_message_id)
         select tenant_id, 'att_' || split_part(id, '_', 2), lead_id, run_id, block_id, campaign_id, id, 'sms', 'sent',
                'm1'
           from sms_queue",
    )
    .execute(&pool)
    .await
    .expect("an attempt");
    sqlx::query("update sms_queue set status = 'sent', provider_message_id = 'm1'").execute(&pool).await.expect("sent");
    for event in ["SMS_DELIVERED", "sms.sent"] {
        let body = json!({"event": event, "data": {"message_id": "m1", "to": to(1)}}).to_string();
        assert_eq!(deliver(&system.api, &path, &Sent { headers: vec![], body }).await.0, 200);
    }
    let (_, page) = system.api.get("/api/attempts?channel=dialer").await;
    assert_eq!(page["attempts"], json!([]));
    let (_, page) = system.api.get("/api/attempts?channel=sms").await;
    assert_eq!(
        (&page["attempts"][0]["queueId"], &page["attempts"][0]["normalisedContext"]),
        (&json!(ids[0]), &json!("initial"))
    );
    let delivered = "select count(*) from attempt_logs where status = 'delivered' and delivered_at is not null";
    assert_eq!(count(&system, delivered).await, 1, "{page}");
    let reply = json!({"event": "message.received", "message_id": "in", "from": to(1), "to": OURS, "text": "Yes!"});
    deliver(&system.api, &path, &Sent { headers: vec![], body: reply.to_string() }).await;
    let answered = "select count(*) from attempt_logs where status = 'responded' and contact_made
                    and response_class = 'interested' and response_text = 'Yes!'";
    assert_eq!(count(&system, answered).await, 1);
}

#[tokio::test]
async fn a_delivery_that_cannot_be_recorded_leaves_no_object_behind() {
    let system = still().await;
    let (source, secret, good, _) = signed().into_iter().next().expect("a source");
    let path = token(&system.api, &json!({"source": source, "signingSecret": secret})).await;
    let pool = system.database.pool().await;
    let refuse = "alter table webhook_events add constraint no_rows check (false) not valid";
    sqlx::query(refuse).execute(&pool).await.expect("refused from now on");
    let (status, answer) = deliver(&system.api, &path, &good).await;
    assert_eq!(status, 500, "{answer}");
    let webhooks = system.objects.join(system.tenant.to_string()).join("webhooks");
    assert_eq!(files_below(&webhooks), 0, "below {}", webhooks.display());
    sqlx::query("alter table webhook_events drop constraint no_rows").execute(&pool).await.expect("accepted again");
    assert_eq!(deliver(&system.api, &path, &good).await.0, 200);
    assert_eq!(files_below(&webhooks), 1);
}

fn files_below(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}
