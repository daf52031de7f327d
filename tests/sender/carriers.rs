//! Picture messages through each carrier, from the run to the carrier's report: the ledger, the attempt, the lead.

use luci_messaging::carriers::SendersConfig;
use luci_sandbox::{CarrierFault, Carriers, Taken};
use serde_json::{Value, json};

use super::fixture::{NUMBER, at_noon, noon, quick, to};
use crate::{
    gateway::{
        deliveries::{SECRET, Sent, deliver, hex_mac, token, twilio},
        fixture::send_csv,
    },
    support::{Api, System, SystemOptions, found, system_with},
};

const PICTURE: &str = "https://pictures.example/roof.png";

/// A system whose sender reaches the carriers of a sandbox.
async fn system(carriers: &Carriers) -> System {
    let senders =
        SendersConfig { public_url: Some("https://luci.example".into()), ..luci::cli::sandbox::senders(carriers) };
    system_with(SystemOptions { senders, sender: quick(), ..SystemOptions::default() }).await
}

/// A run that pushes three leads at once, with a picture, from a number at the provider.
async fn push(system: &System, provider: &str) -> String {
    let api = &system.api;
    let window = json!({"timeZone": noon(), "windowFrom": "08:00", "windowTo": "21:00", "days": [1, 2, 3, 4, 5, 6, 7],
        "pauseMs": 0});
    assert_eq!(api.post("/api/sending", &window).await.0, 202);
    assert_eq!(api.post("/api/sending/numbers", &json!({"number": NUMBER, "provider": provider})).await.0, 202);
    let stage = |stage: &str, config: Value| json!({"name": stage, "stage": stage, "config": config});
    let push_config =
        json!({"channels": ["sms"], "mode": "immediate", "mediaUrl": PICTURE, "template": "Look, {name}"});
    let stages = [stage("import", json!({})), stage("validate", json!({})), stage("push", push_config)];
    let (_, made) = api.post("/api/blueprints", &json!({"name": "pictures", "stages": stages})).await;
    let rows: String = (1..=3).map(|row| format!("Firm {row},Ann,{}\n", to(row))).collect();
    let (_, import) = send_csv(api, format!("Company,First Name,Cell\n{rows}")).await;
    let body = json!({"importId": import["importId"], "blueprintId": made["blueprintId"]});
    let (status, run) = api.post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{run}");
    let run = run["runId"].as_str().expect("an id").to_owned();
    assert_eq!(api.run_ended(&run).await["run"]["status"], "completed");
    at_noon(&system.database.pool().await).await;
    run
}

/// The run's three attempts, once all are as `wanted` says.
async fn attempts(api: &Api, run: &str, expected: impl Fn(&Value) -> bool) -> Vec<Value> {
    found("the attempts of the run", async || {
        let (_, page) = api.get(&format!("/api/attempts?runId={run}")).await;
        let attempts = page["attempts"].as_array().expect("attempts");
        (attempts.len() == 3 && attempts.iter().all(&expected)).then(|| attempts.clone())
    })
    .await
}

/// A carrier's delivery report of a message, in the carrier's format.
fn report(api: &Api, path: &str, provider: &str, taken: &Taken, status: &str, error: &str) -> Sent {
    if provider == "twilio" {
        let mut fields = vec![
            ("MessageSid", taken.id.as_str()),
            ("MessageStatus", status),
            ("From", &taken.from),
            ("To", &taken.to),
        ];
        fields.extend((!error.is_empty()).then_some(("ErrorCode", error)));
        return twilio(api, path, &fields);
    }
    let body = json!({"event": format!("MMS_{}", status.to_uppercase()), "data": {"message_id": taken.id,
        "from": taken.from, "to": taken.to, "error_code": error}})
    .to_string();
    Sent { headers: vec![("x-signalhouse-signature", format!("sha256={}", hex_mac(&body)))], body }
}

async fn carried_by(provider: &'static str) {
    let carriers = Carriers::start(([127, 0, 0, 1], 0).into(), std::time::Duration::ZERO).await.expect("a port");
    let system = system(&carriers).await;
    let api = &system.api;
    // The first is accepted, but the answer is lost: the sender finds it in the carrier's list.
    carriers.fault_next(CarrierFault::Lost, 1);
    let run = push(&system, provider).await;
    let sent = attempts(api, &run, |attempt| attempt["status"] == "sent").await;
    let taken = carriers.taken();
    assert_eq!(taken.len(), 3, "each once");
    for one in &taken {
        let sent_as = (one.provider, one.channel, one.from.as_str(), one.media_url.as_deref());
        assert_eq!(sent_as, (provider, "mms", NUMBER, Some(PICTURE)));
        assert_eq!(one.body, "Look, Ann Reply STOP to opt out.");
        assert_eq!(one.report_to.as_deref(), Some(format!("https://luci.example/api/webhooks/{provider}").as_str()));
        let of = sent.iter().find(|attempt| attempt["providerMessageId"] == one.id.as_str()).expect("an attempt");
        assert_eq!((&of["provider"], &of["channel"]), (&json!(provider), &json!("sms")));
    }
    let path = token(api, &json!({"source": provider, "signingSecret": SECRET})).await;
    for (one, status, error) in
        [(&taken[0], "delivered", ""), (&taken[1], "undelivered", "30003"), (&taken[2], "failed", "30007")]
    {
        let sent = report(api, &path, provider, one, status, error);
        let (status, answer) = deliver(api, &path, &sent).await;
        assert_eq!(status, 200, "{answer}");
    }
    let ended = attempts(api, &run, |attempt| attempt["status"] != "sent").await;
    let of = |one: &Taken| {
        let of = ended.iter().find(|attempt| attempt["providerMessageId"] == one.id.as_str()).expect("an attempt");
        (of["status"].clone(), of["errorCode"].clone(), of["deliveredAt"].is_string())
    };
    assert_eq!(of(&taken[0]), (json!("delivered"), Value::Null, true));
    assert_eq!(of(&taken[1]), (json!("bounced"), json!("30003"), false));
    assert_eq!(of(&taken[2]), (json!("failed"), json!("30007"), false));
    let (_, page) = api.get("/api/messages?status=failed").await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(2), "what did not arrive is no message that was sent");
}

#[tokio::test]
async fn a_picture_goes_by_twilio_and_its_reports_are_noted() {
    carried_by("twilio").await;
}

#[tokio::test]
async fn a_picture_goes_by_signalhouse_and_its_reports_are_noted() {
    carried_by("signalhouse").await;
}
