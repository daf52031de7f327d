//! kill -9 while messages are queued and sent: the carriers' ledger shows that none was sent twice.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use luci_sandbox::{Carriers, KEY, TOKEN};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    sender::fixture::{at_noon, noon, to},
    support::{self, Api, Luci, Servers},
};

const LEADS: u64 = 300;

/// Opens the sending window and publishes a blueprint that sends a text to each lead; returns its id.
pub async fn sending(api: &Api) -> String {
    let window = json!({"timeZone": noon(), "windowFrom": "08:00", "windowTo": "21:00", "days": [1, 2, 3, 4, 5, 6, 7],
        "pauseMs": 0});
    assert_eq!(api.post("/api/sending", &window).await.0, 202);
    let number = json!({"number": "+12125550100", "provider": "signalhouse"});
    assert_eq!(api.post("/api/sending/numbers", &number).await.0, 202);
    let stage = |stage: &str, config: Value| json!({"name": stage, "stage": stage, "config": config});
    let push = json!({"channels": ["sms"], "mode": "immediate"});
    let stages = [stage("import", json!({})), stage("validate", json!({})), stage("push", push)];
    let (status, made) = api.post("/api/blueprints", &json!({"name": "send", "stages": stages})).await;
    assert_eq!(status, 201, "{made}");
    made["blueprintId"].as_str().expect("an id").to_owned()
}

/// Uploads leads with the numbers of these rows, and starts a run on them; returns its id.
pub async fn start(api: &Api, blueprint: &str, rows: RangeInclusive<u64>) -> String {
    let mut csv = String::from("Company,First Name,Cell\n");
    rows.for_each(|row| csv.push_str(&format!("Firm {row},Ann,{}\n", to(row))));
    let request = api.request(Method::POST, "/api/imports?fileName=leads.csv").header("content-type", "text/csv");
    let import: Value = request.body(csv).send().await.expect("an answer").json().await.expect("JSON");
    let options = json!({"blockSize": 50});
    let body = json!({"importId": import["importId"], "blueprintId": blueprint, "options": options});
    let (status, run) = api.post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{run}");
    run["runId"].as_str().expect("an id").to_owned()
}

async fn count(luci: &Luci, status: &str) -> u64 {
    let mut found = 0;
    let mut path = format!("/api/messages?status={status}&limit=200");
    loop {
        let (_, page) = luci.api().get(&path).await;
        found += page["messages"].as_array().map_or(0, Vec::len) as u64;
        let Some(next) = page["nextCursor"].as_str() else { return found };
        path = format!("/api/messages?status={status}&limit=200&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_queueing_and_sending_nobody_is_sent_a_message_twice() {
    let (database, nats) = tokio::join!(support::database(), support::nats());
    // Slow enough that each kill finds messages taken and not yet answered.
    let carriers = Carriers::start(([127, 0, 0, 1], 0).into(), Duration::from_millis(15)).await.expect("a port");
    let variables = vec![
        ("LUCI_SIGNALHOUSE_URL", carriers.url()),
        ("LUCI_SIGNALHOUSE_ACCOUNT", KEY.to_owned()),
        ("LUCI_SIGNALHOUSE_KEY", TOKEN.to_owned()),
    ];
    let mut luci = support::luci_with(Servers::on(&database, &nats), variables).await;
    let blueprint = sending(&luci.api()).await;
    let run = start(&luci.api(), &blueprint, 1..=LEADS).await;
    for turn in 0..5_u64 {
        tokio::time::sleep(Duration::from_millis(300 + turn * 7_919 % 900)).await;
        luci.kill().await;
        luci.start().await;
    }
    let detail = luci.api().run_ended(&run).await;
    at_noon(&database.pool().await).await;
    assert_eq!(detail["run"]["status"], "completed", "{:#}", detail["run"]);
    // Messages claimed before a kill are settled after the claim's timeout.
    support::eventually("nothing is pending or in hand", async || {
        count(&luci, "pending").await + count(&luci, "processing").await == 0
    })
    .await;
    let taken = carriers.taken();
    let numbers: BTreeSet<&str> = taken.iter().map(|taken| taken.to.as_str()).collect();
    assert_eq!(numbers.len(), taken.len(), "somebody was sent the same message twice");
    let (sent, held) = (count(&luci, "sent").await, count(&luci, "failed").await);
    assert_eq!(sent, taken.len() as u64, "what is called sent is what the carrier took");
    assert_eq!(sent + held, LEADS, "and nothing is lost");
    assert!(held <= 5, "{held} messages wait for a person: at most the one in hand at each kill");
}
