//! Fixture: systems, a small CSV, an import, a run.

use luci::process::ProcessRole;
use luci_providers::ProvidersConfig;
use luci_sandbox::{Sandbox, SandboxOptions};
use luci_storage::Storage;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Api, System, SystemOptions, system_with};

/// Everything but workers and clock: a run that is queued stays so until the test moves it.
pub async fn still() -> System {
    let roles = vec![ProcessRole::Gateway, ProcessRole::Projections, ProcessRole::Relay];
    system_with(SystemOptions { roles, ..SystemOptions::default() }).await
}

/// Every role, with sandbox providers that answer at once; the sandbox ends with its value.
pub async fn whole() -> (System, Sandbox) {
    whole_on(None).await
}

/// The same with a store of its own.
pub async fn whole_on(storage: Option<Storage>) -> (System, Sandbox) {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let sandbox = Sandbox::start(listen, SandboxOptions::default()).await.expect("a sandbox");
    let providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
    let system = system_with(SystemOptions { providers, storage, ..SystemOptions::default() }).await;
    (system, sandbox)
}

pub fn csv(rows: usize) -> String {
    let mut text = String::from("Company,First Name,Last Name,Phone,Email,City,State\n");
    for n in 0..rows {
        text.push_str(&format!("Firm {n},Ada,L{n},(212) 555-{:04},ada{n}@firm{n}.example,New York,NY\n", n % 10_000));
    }
    text
}

/// A CSV sent in one call.
pub async fn send_csv(api: &Api, text: String) -> (StatusCode, Value) {
    let request = api.request(Method::POST, "/api/imports?fileName=leads.csv").header("content-type", "text/csv");
    let response = request.body(text).send().await.expect("an answer");
    (response.status(), response.json().await.expect("JSON"))
}

pub async fn import(api: &Api, rows: usize) -> String {
    let (status, body) = send_csv(api, csv(rows)).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["rows"], rows);
    body["importId"].as_str().expect("an id").to_owned()
}

/// A queued run; answers its id and the position of its first event.
pub async fn start(api: &Api, rows: usize) -> (String, u64) {
    let import = import(api, rows).await;
    // Tests start the same rows several times.
    let (status, body) = api.post("/api/pipelines", &json!({"importId": import, "allowRepeat": true})).await;
    assert_eq!(status, 202, "{body}");
    assert_eq!(body["status"], "queued");
    (body["runId"].as_str().expect("an id").to_owned(), body["position"].as_u64().expect("a position"))
}

/// Reads what is not older than a position.
pub async fn get_at(api: &Api, path: &str, position: u64) -> Value {
    let request = api.request(Method::GET, path).header("luci-min-position", position);
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200, "{path}");
    let body: Value = response.json().await.expect("JSON");
    assert!(body.get("stale").is_none(), "{body}");
    body
}

/// Issues a command without the API.
pub async fn issue(system: &System, run: &str, command: luci_runs::core::RunCommand) -> luci_runs::issue::Issued {
    use luci_schema::{Actor, CommandId, EventId};
    let cause = luci_runs::issue::Cause {
        actor: Actor::System,
        command: CommandId::derive(&["test", &EventId::generate().to_string()]),
        correlation: None,
        causation: None,
        receipt: None,
        if_match: None,
    };
    let issuer = luci_runs::issue::Issuer::new(system.running.log.clone());
    issuer.issue(system.tenant, run.parse().expect("a run id"), &command, cause).await.expect("issued")
}
