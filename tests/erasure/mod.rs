//! A person is erased from everything that is stored, and nobody else is.

mod columns;
pub mod fixture;
mod killed;
mod restored;
pub mod retention;

use reqwest::Method;
use serde_json::{Value, json};

use self::fixture::{
    EMAIL, OURS, PHONE, Whole, all_sent, blueprint, checks, completed, erase, file, others, paused_run, run,
    traces_below, traces_in_database, whole,
};
use crate::{
    gateway::{
        deliveries::{Sent, deliver, token},
        fixture::send_csv,
    },
    support::{Api, eventually},
};

/// Deliveries about the person and others, and a copy of all that is stored.
async fn replies_and_a_copy(api: &Api) {
    // A reply that only a person can judge, and a list of events about several people.
    let path = token(api, &json!({"source": "signalhouse"})).await;
    let body = json!({"event": "message.received", "message_id": "in1", "from": PHONE, "to": OURS,
        "text": "please lose my number, Zenobia"});
    let (status, answer) = deliver(api, &path, &Sent { headers: vec![], body: body.to_string() }).await;
    assert_eq!(status, 200, "{answer}");
    let generic = token(api, &json!({"source": "apollo"})).await;
    let events = json!([{"email": EMAIL, "id": 1}, {"email": "ada1@firm1.example", "id": 2}]);
    let (status, answer) = deliver(api, &generic, &Sent { headers: vec![], body: events.to_string() }).await;
    assert_eq!(status, 200, "{answer}");

    let (status, copy) = api.get(&format!("/api/people/export?email={EMAIL}")).await;
    assert_eq!(status, 200, "{copy}");
    assert_eq!(copy["rows"]["leads"][0]["phone"], PHONE);
    assert_eq!(copy["rows"]["sms_queue"][0]["to_number"], PHONE);
    assert!(copy["objects"].as_array().expect("objects").len() > 6, "{copy}");
    assert!(!copy.to_string().contains("ada1@"), "{copy}");
}

/// Results, a replay and a retry from a stage.
async fn readers_get_versions(api: &Api, first: &str) {
    let (_, page) = api.get(&format!("/api/pipelines/{first}/artifacts?limit=100")).await;
    let artifacts = page["artifacts"].as_array().expect("artifacts");
    assert!(artifacts.iter().any(|artifact| artifact["metadata"]["erased"]["checksum"].is_string()), "{page}");
    for artifact in artifacts {
        let id = artifact["artifactId"].as_str().expect("an id");
        let (status, preview) = api.get(&format!("/api/pipelines/{first}/artifacts/{id}?preview")).await;
        assert_eq!(status, 200, "{preview}");
        assert_eq!(
            preview["rows"].as_array().map(Vec::len),
            artifact["metadata"]["leads"].as_u64().map(|n| n as usize)
        );
    }
    for (road, body) in [("replay", json!({})), ("retry", json!({"fromStage": "score"}))] {
        let (status, again) = api.post(&format!("/api/pipelines/{first}/{road}"), &body).await;
        assert_eq!(status, 202, "{again}");
        let ended = api.run_ended(again["runId"].as_str().expect("an id")).await;
        assert_eq!(ended["run"]["status"], "completed", "{road}: {ended}");
    }
}

/// The same person comes in again: stored, but never sent anything.
async fn comes_in_again(whole: &Whole, blueprint: &Value) {
    let (api, pool) = (&whole.system.api, whole.system.database.pool().await);
    let sent = whole.carriers.taken().len();
    let (_, import) = send_csv(api, file()).await;
    let second = run(api, &import["importId"], blueprint).await;
    let (_, page) = api.get(&format!("/api/messages?runId={second}")).await;
    assert!(!page.to_string().contains(PHONE), "{page}");
    let skipped = "select count(*) from sms_queue where to_number = '+19175550142'";
    assert_eq!(sqlx::query_scalar::<_, i64>(skipped).fetch_one(&pool).await.expect("a count"), 0);
    all_sent(&pool).await;
    assert!(whole.carriers.taken()[sent..].iter().all(|taken| taken.to != PHONE));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_nowhere_and_the_others_are_unchanged() {
    let whole = whole().await;
    let (system, api) = (&whole.system, &whole.system.api);
    let pool = system.database.pool().await;
    let blueprint = blueprint(api).await;
    let (status, import) = send_csv(api, file()).await;
    assert_eq!(status, 201, "{import}");
    let first = run(api, &import["importId"], &blueprint).await;
    all_sent(&pool).await;
    assert!(whole.carriers.taken().iter().any(|taken| taken.to == PHONE), "the person was sent a text");

    replies_and_a_copy(api).await;

    let before = others(&pool, system.tenant).await;
    let events_before = events_of(system).await;
    let (status, would) = api.post("/api/erasures", &json!({"phone": "(917) 555-0142", "dryRun": true})).await;
    assert_eq!(status, 200, "{would}");
    assert_eq!(would["wouldRemove"]["rows"]["leads"], 1, "{would}");
    assert!(!traces_in_database(system).await.is_empty(), "a dry run changes nothing");
    let done = erase(api, &json!({"phone": "(917) 555-0142"})).await;
    assert_eq!(done["error"], Value::Null);

    assert_eq!(traces_in_database(system).await, Vec::<String>::new());
    assert_eq!(traces_below(&system.objects), Vec::<String>::new());
    assert_eq!(traces_below(&system.nats.jetstream()), Vec::<String>::new());
    assert_eq!(others(&pool, system.tenant).await, before);
    let events_after = events_of(system).await;
    assert_eq!(events_after[..events_before.len()], events_before[..], "no event was changed");
    eventually("everything is published", async || {
        let said = tokio::time::timeout(std::time::Duration::from_secs(60), checks(system)).await;
        said.is_ok_and(|said| said.contains("nothing found") && said.contains("all match"))
    })
    .await;

    readers_get_versions(api, &first).await;
    assert_eq!(traces_in_database(system).await, Vec::<String>::new());
    comes_in_again(&whole, &blueprint).await;

    // A second erasure is no error, whoever names the person and however.
    erase(api, &json!({"email": EMAIL})).await;
    erase(api, &json!({"email": EMAIL})).await;
    assert_eq!(traces_in_database(system).await, Vec::<String>::new());
    assert_eq!(traces_below(&system.objects), Vec::<String>::new());
}

/// Position, data and hash of every event.
async fn events_of(system: &crate::support::System) -> Vec<(i64, String, Vec<u8>)> {
    sqlx::query_as("select position, data::text, hash from log.events order by position")
        .fetch_all(&system.database.pool().await)
        .await
        .expect("events")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_waits_for_a_run_and_suppresses_at_once() {
    let whole = whole().await;
    let api = &whole.system.api;
    let blueprint = blueprint(api).await;
    let run = paused_run(api, &blueprint).await;
    let (status, asked) = api.post("/api/erasures", &json!({"email": EMAIL})).await;
    assert_eq!(status, 202, "{asked}");
    let id = asked["erasureId"].as_str().expect("an id");
    eventually("it names the run", async || {
        let (_, page) = api.get("/api/erasures").await;
        page["erasures"][0]["waitingFor"] == json!([run])
    })
    .await;
    // A run that is queued meanwhile waits too.
    let (_, import) = send_csv(api, file().replace("917", "646")).await;
    let (_, later) =
        api.post("/api/pipelines", &json!({"importId": import["importId"], "blueprintId": blueprint})).await;
    let later = later["runId"].as_str().expect("an id");
    assert_eq!(api.get(&format!("/api/pipelines/{later}")).await.1["run"]["status"], "queued");
    let (status, answer) = api.post(&format!("/api/pipelines/{run}/resume"), &json!({})).await;
    assert_eq!(status, 202, "{answer}");
    completed(api, id).await;
    assert_eq!(api.run_ended(later).await["run"]["status"], "completed");
    assert!(!whole.carriers.taken().iter().any(|taken| taken.to == PHONE), "it was suppressed before it was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_erases_and_wrong_names_are_told() {
    let system = crate::gateway::fixture::still().await;
    let api = &system.api;
    for (body, field) in [
        (json!({}), "leadId"),
        (json!({"phone": PHONE, "email": EMAIL}), "leadId"),
        (json!({"phone": "12"}), "phone"),
        (json!({"email": "nobody"}), "email"),
        (json!({"leadId": "lead_1"}), "leadId"),
    ] {
        let (status, problem) = api.post("/api/erasures", &body).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    let unknown = json!({"leadId": luci_schema::LeadId::generate()});
    assert_eq!(api.post("/api/erasures", &unknown).await.0, 404);
    let (_, made) = api.post("/api/keys", &json!({"role": "admin", "name": "admin"})).await;
    let admin = crate::support::Api::new(api.url.clone(), made["key"].as_str().expect("a key"));
    assert_eq!(admin.post("/api/erasures", &json!({"email": EMAIL})).await.0, 403);
    assert_eq!(admin.get(&format!("/api/people/export?email={EMAIL}")).await.0, 200);
    // A repeated request with its key is the same erasure.
    let (_, one) = api.post_once("/api/erasures", &json!({"email": EMAIL}), "k1").await;
    let (_, two) = api.post_once("/api/erasures", &json!({"email": EMAIL}), "k1").await;
    assert_eq!(one, two);
    let request = api.request(Method::GET, "/api/erasures?limit=1");
    let page: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(page["erasures"].as_array().map(Vec::len), Some(1));
}
