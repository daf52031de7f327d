//! A client with one tenant's credential tries everything else.

use std::collections::BTreeSet;

use async_nats::Client;
use luci_schema::{RunId, TenantId};
use serde_json::{Value, json};

use super::{credential, raw::Raw, token};
use crate::{gateway::fixture::still, support::System};

/// Subjects to subscribe to; the words in braces are replaced.
const SUBSCRIBED: &str = "
    > * *.> *.* *.*.> *.*.* *.*.*.* *.*.*.*.* *.*.*.*.*.> luci.> luci.* luci.*.> luci.*.*.> luci.*.*.*.*
    luci.*.*.block.completed tele.> tele.*.> tele.*.*.run.progress
    evt.> evt.*.> evt.*.block.queued.* evt.{own}.> evt.{other}.> seal.> seal.* $JS.> $JS.API.> $JS.EVENT.> $JS.ACK.> $JS.FC.>
    $JS.API.STREAM.INFO.EVT $KV.> $O.>
    $SYS.> $SYS.REQ.> $SYS.REQ.USER.AUTH $SYS.ACCOUNT.> $SYS.ACCOUNT.LUCI.CONNECT $SYS._INBOX.>
    _INBOX.> _INBOX.* _INBOX*.> _INBOX_*.> _INBOX_luci_engine.> _INBOX_luci_relay.> _INBOX_luci_callout.> _R_.> _GR_.>
    {other_inbox}.> {other_inbox}.x {own_inbox} {own_inbox}0.>
    luci.{other}.> luci.{other} luci.{other}.* luci.{other}.{run}.> luci.{other}.{run}.block.completed luci.{other}.*.*.*
    luci.{own}{other}.> tele.{other}.> tele.{other}.{run}.block.progress
    luci.{own} luci.{lower}.> LUCI.{own}.> luci.{own}0.> luci.{cut}.> luci.{cut}*.> luci.{cut}>.> luci..{own}.> luci.{own}..>
    .luci.{own}.> luci.*.{own}.>";

/// Subjects and queue groups: of those who do the work, and of its own.
const QUEUED: [&str; 6] = [
    "evt.*.block.queued.enrich worker_enrich",
    "$SYS.REQ.USER.AUTH luci-gateways",
    "luci.> gateway",
    "luci.{other}.> mine",
    "_INBOX.> mine",
    "> mine",
];

/// Subjects to publish to.
const PUBLISHED: &str = "
    x seal.1 _INBOX.x _INBOX_luci_engine.x {own_inbox}.x {other_inbox}.x
    luci.{own}.{run}.run.completed luci.{other}.{run}.run.completed tele.{own}.{run}.run.progress evt.{own}.block.queued.enrich
    $JS.API.INFO $JS.API.STREAM.INFO.EVT $JS.API.STREAM.DELETE.EVT $JS.API.STREAM.PURGE.EVT $JS.API.STREAM.CREATE.MINE
    $JS.API.STREAM.MSG.GET.EVT $JS.API.DIRECT.GET.EVT $JS.API.CONSUMER.CREATE.EVT $JS.API.CONSUMER.DURABLE.CREATE.EVT.mine
    $JS.API.CONSUMER.MSG.NEXT.EVT.worker_enrich $JS.ACK.EVT.worker_enrich.1.1.1.1.1
    $SYS.REQ.SERVER.PING $SYS.REQ.SERVER.PING.CONNZ $SYS.REQ.ACCOUNT.PING.CONNZ $SYS.REQ.USER.INFO $SYS.REQ.USER.AUTH
    $SYS._INBOX.x";

/// Lines of the protocol, each to be refused.
fn attempts(own: TenantId, other: TenantId, run: RunId, own_inbox: &str, other_inbox: &str) -> Vec<String> {
    let own = own.to_string();
    let fill = |text: &str| {
        text.replace("{own}", &own)
            .replace("{lower}", &own.to_lowercase())
            .replace("{cut}", &own[..20])
            .replace("{other}", &other.to_string())
            .replace("{run}", &run.to_string())
            .replace("{own_inbox}", own_inbox)
            .replace("{other_inbox}", other_inbox)
    };
    let mut attempts: Vec<String> =
        SUBSCRIBED.split_whitespace().chain(QUEUED).map(|line| format!("SUB {} 7\r\n", fill(line))).collect();
    for subject in PUBLISHED.split_whitespace().map(fill) {
        attempts.push(format!("PUB {subject} 2\r\n{{}}\r\n"));
        // A request, whose answer would come to its inbox.
        attempts.push(format!("PUB {subject} {own_inbox}.1 2\r\n{{}}\r\n"));
        attempts.push(format!("HPUB {subject} {own_inbox}.1 12 14\r\nNATS/1.0\r\n\r\n{{}}\r\n"));
    }
    attempts
}

/// What others receive while the client tries: nothing of it may arrive.
async fn publish_for_others(client: &Client, other: TenantId, run: RunId, other_inbox: &str) {
    for subject in [
        format!("luci.{other}.{run}.run.completed"),
        format!("tele.{other}.{run}.run.progress"),
        format!("{other_inbox}.x"),
        "_INBOX_luci_engine.x".to_owned(),
        "_INBOX.x".to_owned(),
        "other".to_owned(),
    ] {
        client.publish(subject, "secret".into()).await.expect("published");
    }
    processed(client).await;
}

/// Waits until the server has processed what the client has published: it answers in order.
async fn processed(client: &Client) {
    client.request("$JS.API.INFO", "".into()).await.expect("an answer");
}

#[tokio::test]
async fn a_client_reaches_nothing_but_its_tenants_events() {
    let system = still().await;
    let (other, other_api) = system.other_tenant("other").await;
    let (own, others) = (credential(&system.api).await, credential(&other_api).await);
    let inbox = |credential: &Value| credential["inboxPrefix"].as_str().expect("an inbox").to_owned();
    let (own_inbox, other_inbox, run) = (inbox(&own), inbox(&others), RunId::generate());
    assert_ne!(own_inbox, other_inbox);
    let operator = system.nats.client().await;
    let attempts = attempts(system.tenant, other, run, &own_inbox, &other_inbox);
    let different: BTreeSet<&String> = attempts.iter().collect();
    assert!(different.len() == attempts.len() && different.len() > 150, "{} attempts", different.len());
    let mut allowed = Vec::new();
    for attempt in &attempts {
        let mut client = connect(&system, &own).await;
        client.send(attempt).await;
        let refused = client.answers().await;
        if attempt.starts_with("SUB") {
            publish_for_others(&operator, other, run, &other_inbox).await;
        }
        let after = client.answers().await;
        let refusal =
            refused.errors.iter().any(|error| error.contains("Violation") || error.contains("Invalid Subject"));
        if !refusal || !refused.messages.is_empty() || !after.messages.is_empty() {
            allowed.push(format!("{attempt:?}: {refused:?} {after:?}"));
        }
    }
    assert!(allowed.is_empty(), "not refused:\n{}", allowed.join("\n"));
    // The same client may do what it is for.
    let mut client = connect(&system, &own).await;
    client.send(&format!("SUB luci.{0}.> 1\r\nSUB tele.{0}.> 2\r\nSUB {own_inbox}.> 3\r\n", system.tenant)).await;
    assert!(client.answers().await.errors.is_empty());
    let subject = format!("luci.{}.{run}.run.completed", system.tenant);
    operator.publish(subject.clone(), "{}".into()).await.expect("published");
    processed(&operator).await;
    assert_eq!(client.answers().await.messages, [subject]);
}

async fn connect(system: &System, credential: &Value) -> Raw {
    let mut client = Raw::connect(system.nats.port(), &json!({"auth_token": token(credential)})).await;
    let answers = client.answers().await;
    assert!(!answers.closed && answers.errors.is_empty(), "{answers:?}");
    client
}

/// Credentials that LUCI did not make, or made for something else.
#[tokio::test]
async fn a_client_without_a_credential_of_luci_is_refused() {
    let system = still().await;
    let own = credential(&system.api).await;
    let text = token(&own);
    let changed = text.replacen("luci-nats.e", "luci-nats.f", 1);
    let (head, _) = text.rsplit_once('.').expect("a signature");
    let key = system.api.key.as_str();
    for options in [
        json!({}),
        json!({"auth_token": ""}),
        json!({"auth_token": "luci-nats"}),
        json!({"auth_token": key}),
        json!({"user": "luci", "pass": key}),
        json!({"auth_token": changed}),
        json!({"auth_token": head}),
        json!({"auth_token": format!("{head}.")}),
        json!({"user": "luci_gateway", "pass": ""}),
        json!({"user": "luci_gateway", "pass": text}),
        json!({"user": "luci_operator", "pass": "wrong"}),
        json!({"jwt": "a.b.c", "sig": "x"}),
    ] {
        let mut client = Raw::connect(system.nats.port(), &options).await;
        let answers = client.answers().await;
        assert!(answers.closed && answers.errors.iter().any(|e| e.contains("Authorization")), "{options}: {answers:?}");
    }
    // As password, for clients that know no tokens.
    let mut client = Raw::connect(system.nats.port(), &json!({"user": "any", "pass": text})).await;
    assert!(!client.answers().await.closed);
}
