//! An engine that sleeps inside a block while another completes it: what it writes when it wakes does not replace the object
//! that counts, and is removed.

use std::{path::PathBuf, process::Child, time::Duration};

use luci::process::ProcessRole;
use luci_runs::stored_objects::{Swept, sweep_run};
use luci_sandbox::{Sandbox, SandboxOptions};
use luci_schema::{Micros, RunId};
use serde_json::{Value, json};

use super::evidence::open;
use crate::{
    gateway::fixture::send_csv,
    support::{self, System, SystemOptions, eventually, signal, system_with},
};

/// Several portions of calls in one block.
const LEADS: u64 = 600;

async fn engine(system: &System, sandbox: &Sandbox) -> Child {
    let variables = vec![
        ("LUCI_DATABASE_URL", system.database.url().to_owned()),
        ("LUCI_NATS_URL", system.nats.url().to_owned()),
        ("LUCI_STORE_URL", format!("file://{}", system.objects.display())),
        ("LUCI_MASTER_KEY", support::MASTER_KEY.to_owned()),
        ("LUCI_PUBLIC_URL", system.api.url.clone()),
        ("LUCI_APOLLO_URL", sandbox.url()),
        ("LUCI_APOLLO_KEY", sandbox.key().to_owned()),
    ];
    support::process(&["serve", "engine"], variables).await
}

async fn start(system: &System) -> String {
    let stages = ["import", "validate", "enrich", "score"].map(|name| json!({"name": name, "stage": name}));
    let (status, blueprint) = system.api.post("/api/blueprints", &json!({"name": "enriched", "stages": stages})).await;
    assert_eq!(status, 201, "{blueprint}");
    let row = |n| format!("Firm {n},Ann,Lee{n},ann{n}@firm{n}.example\n");
    let rows: String = (1..=LEADS).map(row).collect();
    let (status, import) = send_csv(&system.api, format!("Company,First Name,Last Name,Email\n{rows}")).await;
    assert_eq!(status, 201, "{import}");
    let body = json!({"importId": import["importId"], "blueprintId": blueprint["blueprintId"],
        "options": {"blockSize": LEADS}});
    let (status, run) = system.api.post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{run}");
    run["runId"].as_str().expect("an id").to_owned()
}

fn enriching(detail: &Value, attempt: u64, status: &str) -> bool {
    let blocks = detail["blocks"].as_array().expect("blocks");
    blocks.iter().any(|b| b["stageName"] == "enrich" && b["status"] == status && b["attempt"] == attempt)
}

fn enriched(system: &System, run: &str) -> Vec<PathBuf> {
    let folder = system.objects.join(format!("{}/pipelines/{run}/artifacts", system.tenant));
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("enriched"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_wakes_in_a_completed_block_replaces_nothing() {
    let options = SandboxOptions { delay: Duration::from_millis(300), ..SandboxOptions::default() };
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), options).await.expect("a port");
    let roles = vec![ProcessRole::Gateway, ProcessRole::Projections, ProcessRole::Relay, ProcessRole::Clock];
    let system = system_with(SystemOptions { roles, ..SystemOptions::default() }).await;
    let mut first = engine(&system, &sandbox).await;
    let run = start(&system).await;
    system.api.run_when(&run, |detail| enriching(detail, 1, "running")).await;
    signal("-STOP", first.id());
    let mut second = engine(&system, &sandbox).await;
    system.api.run_when(&run, |detail| enriching(detail, 2, "completed")).await;
    signal("-CONT", first.id());
    // It finds out that it was superseded, writes what it has, and is refused.
    eventually("the late object is written", async || {
        enriched(&system, &run).len() == 2 || overwritten(&system, &run).await
    })
    .await;
    let ended = system.api.run_ended(&run).await;
    for engine in [&mut first, &mut second] {
        engine.kill().expect("it ran");
        engine.wait().expect("it ended");
    }
    assert_eq!(ended["run"]["status"], "completed", "{ended:#}");
    assert_eq!(ended["run"]["processedLeads"], LEADS);
    assert!(!overwritten(&system, &run).await, "an artifact is not what was recorded");

    let (id, log): (RunId, _) = (run.parse().expect("a run id"), open(&system.database).await);
    let swept = sweep_run(&log, &system.storage, (system.tenant, id), Micros::now()).await.expect("swept");
    assert_eq!(swept, Swept::Done);
    assert_eq!(enriched(&system, &run).len(), 1, "the object of the attempt that did not count is gone");
    assert!(!overwritten(&system, &run).await);
}

/// Whether an artifact is not what was recorded.
async fn overwritten(system: &System, run: &str) -> bool {
    let (_, page) = system.api.get(&format!("/api/pipelines/{run}/artifacts")).await;
    for artifact in page["artifacts"].as_array().expect("a list") {
        let stored = std::fs::read(system.objects.join(artifact["objectPath"].as_str().expect("a path")));
        let size = stored.expect("an object").len() as u64;
        if artifact["sizeBytes"] != size {
            return true;
        }
    }
    false
}
