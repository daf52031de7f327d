//! Fixture: the real binary with sandbox providers, and a run of some thousand leads.

use luci::cli::demo::sample;
use luci_sandbox::{Sandbox, SandboxOptions};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{self, Database, Luci, Nats, Servers};

/// Everything that a test may kill.
pub struct Fixture {
    pub luci: Luci,
    pub database: Database,
    pub nats: Nats,
    pub sandbox: Sandbox,
}

pub async fn fixture(sandbox: SandboxOptions) -> Fixture {
    let (database, nats) = tokio::join!(support::database(), support::nats());
    let sandbox = Sandbox::start("127.0.0.1:0".parse().expect("an address"), sandbox).await.expect("a sandbox");
    let of_sandbox = |name| (name, sandbox.url());
    let with_key = |name| (name, sandbox.key().to_owned());
    let variables = vec![
        of_sandbox("LUCI_APOLLO_URL"),
        with_key("LUCI_APOLLO_KEY"),
        of_sandbox("LUCI_REALESTATE_URL"),
        with_key("LUCI_REALESTATE_KEY"),
        // More than the default daily limit of a tenant.
        ("LUCI_REALESTATE_TENANT_PER_DAY", "1000000".to_owned()),
    ];
    let luci = support::luci_with(Servers::on(&database, &nats), variables).await;
    Fixture { luci, database, nats, sandbox }
}

impl Fixture {
    /// Uploads a number of sample leads, one in a hundred invalid, and starts a run on them; returns its id.
    pub async fn start_run(&self, leads: u64, block_size: u32) -> String {
        let mut csv = Vec::new();
        sample::csv(&mut csv, leads, 1, 7).expect("in memory");
        let api = self.luci.api();
        let upload = api.request(Method::POST, "/api/imports").header("content-type", "text/csv").body(csv);
        let answer = upload.send().await.expect("the gateway answers");
        let status = answer.status();
        let import: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{status} {import}");
        let options = json!({ "maxLeads": leads, "blockSize": block_size });
        let body = json!({ "importId": import["importId"], "options": options });
        let (status, run) = api.post_once("/api/pipelines", &body, "the run of this test").await;
        assert_eq!(status, StatusCode::ACCEPTED, "{run}");
        run["runId"].as_str().expect("an id").to_owned()
    }
}
