//! The topology of `deploy/compose.yaml` as plain processes: the same commands, settings and configuration files, other ports.
//! A run completes while a NATS node and an engine are killed.

mod compose;
mod servers;

use std::{collections::BTreeMap, process::Child, time::Duration};

use luci::cli::demo::sample;
use luci_sandbox::{Sandbox, SandboxOptions};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use self::compose::{Compose, port};
use crate::support::{Api, eventually, output, signal, temp_dir};

const LEADS: u64 = 400;

/// All processes; they are killed when this value goes.
struct Topology {
    compose: Compose,
    servers: Vec<Child>,
    /// With the address of each.
    nats: Vec<(Child, String)>,
    processes: BTreeMap<String, (Child, String)>,
    sandbox: Sandbox,
    broker: async_nats::Client,
    key: String,
}

impl Topology {
    async fn start() -> Self {
        let _first_wins = rustls::crypto::ring::default_provider().install_default();
        let mut compose = Compose::read(temp_dir("topology"));
        let postgres = servers::postgres(&mut compose).await;
        let nats = servers::nats(&mut compose).await;
        let s3 = servers::s3(&mut compose).await;
        let broker = servers::client(&compose).await;
        servers::streams(&broker).await;
        let delay = Duration::from_millis(100);
        let sandbox = SandboxOptions { delay, ..SandboxOptions::default() };
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), sandbox).await.expect("a port");
        let (servers, processes) = (vec![postgres, s3], BTreeMap::new());
        let mut topology = Self { compose, servers, nats, processes, sandbox, broker, key: String::new() };
        topology.run(topology.compose.settings("migrate"), topology.compose.words("migrate", "command")).await;
        let tenant = topology.compose.words("tenant", "entrypoint");
        assert_eq!(tenant[0], "luci-entrypoint");
        let tenant = [&tenant[1..], &["Topology".to_owned(), "--json".to_owned()]].concat();
        let tenant: Value =
            serde_json::from_str(&topology.run(topology.compose.settings("tenant"), tenant).await).expect("JSON");
        topology.key = tenant["apiKey"].as_str().expect("a key").to_owned();
        topology.serve().await;
        topology
    }

    /// Runs a command with these settings to its end, and returns what it printed.
    async fn run(&self, settings: BTreeMap<String, String>, arguments: Vec<String>) -> String {
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = output(&self.compose.folder, &arguments, &settings).await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Starts each service with `serve` as often as the file says, and waits until all are ready.
    async fn serve(&mut self) {
        let public = port();
        self.compose.replace("http://localhost:8080", format!("http://127.0.0.1:{public}"));
        for (service, replicas) in self.compose.served() {
            for replica in 1..=replicas {
                let first = service == "gateway" && replica == 1;
                let (name, listen) = (format!("{service}-{replica}"), if first { public } else { port() });
                let mut settings = self.compose.settings(&service);
                settings.insert("LUCI_LISTEN".to_owned(), format!("127.0.0.1:{listen}"));
                // What an operator writes into providers.env.
                for provider in ["APOLLO", "REALESTATE"] {
                    settings.insert(format!("LUCI_{provider}_URL"), self.sandbox.url());
                    settings.insert(format!("LUCI_{provider}_KEY"), self.sandbox.key().to_owned());
                }
                let program = env!("CARGO_BIN_EXE_luci").as_ref();
                let command = self.compose.words(&service, "command");
                let child = servers::spawn(program, &name, &self.compose.folder, |luci| {
                    luci.args(command).envs(settings);
                });
                self.processes.insert(name, (child, format!("http://127.0.0.1:{listen}")));
            }
        }
        for (name, (_, url)) in &self.processes {
            eventually(&format!("{name} is ready"), async || ready(url).await).await;
        }
    }

    fn api(&self, name: &str) -> Api {
        Api::new(self.processes[name].1.clone(), &self.key)
    }

    fn kill(&self, name: &str) {
        signal("-KILL", self.processes[name].0.id());
    }

    /// SIGTERM, as an orchestrator stops a process.
    fn stop(&mut self, name: &str) {
        let (child, _) = self.processes.get_mut(name).expect("it runs");
        signal("-TERM", child.id());
        assert!(tokio::task::block_in_place(|| child.wait()).expect("our own child").success(), "{name}");
    }
}

/// The health check of the image.
async fn ready(url: &str) -> bool {
    reqwest::get(format!("{url}/readyz")).await.is_ok_and(|answer| answer.status().is_success())
}

impl Drop for Topology {
    fn drop(&mut self) {
        let processes = self.processes.values_mut().map(|(child, _)| child);
        let nats = self.nats.iter_mut().map(|(child, _)| child);
        for child in processes.chain(nats).chain(&mut self.servers) {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_completes_while_a_nats_node_and_an_engine_are_killed() {
    let mut topology = Topology::start().await;
    let api = topology.api("gateway-1");
    let mut csv = Vec::new();
    sample::csv(&mut csv, LEADS, 1, 7).expect("in memory");
    let upload = api.request(Method::POST, "/api/imports").header("content-type", "text/csv").body(csv);
    let import: Value = upload.send().await.expect("the gateway answers").json().await.expect("JSON");
    let body = json!({ "importId": import["importId"], "options": { "blockSize": 20 } });
    let (status, run) = api.post_once("/api/pipelines", &body, "the run of this test").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    let run = run["runId"].as_str().expect("an id").to_owned();

    // The stage that calls a provider is at work.
    api.run_when(&run, |detail| detail["run"]["currentStage"] == "enrich").await;
    // The node that every process has the address of, and an engine.
    signal("-KILL", topology.nats[0].0.id());
    topology.kill("engine-1");

    // Through the other gateway.
    let detail = topology.api("gateway-2").run_ended(&run).await;
    assert_eq!(detail["run"]["status"], "completed", "{detail:#}");
    assert_eq!(detail["run"]["totalLeads"], LEADS, "{detail:#}");

    let (replicas, _) = servers::stream(&topology.broker, "SEALS").await;
    assert_eq!(replicas, 3);
    let published = async || {
        let metrics = reqwest::get(format!("{}/metrics", api.url)).await.ok()?.text().await.ok()?;
        let head = metrics.lines().find_map(|line| line.strip_prefix("luci_log_head "))?.parse::<u64>().ok()?;
        (servers::stream(&topology.broker, "EVT").await == (3, head)).then_some(())
    };
    crate::support::found("every event in the stream of three replicas", published).await;
    // As an operator, with the settings of the clock: history, seals, streams, objects. In the container's network, `nats` is
    // any node that lives.
    let (killed, lives) = (topology.nats[0].1.clone(), topology.nats[1].1.clone());
    topology.compose.replace(killed, lives);
    // A seal that is made while the audit reads looks like one that the database lost; a clock that stops makes the last one.
    topology.stop("clock-1");
    topology.stop("clock-2");
    let audit = ["audit", "verify", "--all"].map(str::to_owned).to_vec();
    topology.run(topology.compose.settings("clock"), audit).await;
    // The user for backups reads every tenant's rows, and changes none.
    let backup = topology.compose.words("backup", "entrypoint")[1..].to_vec();
    let folder = topology.compose.folder.join("backup").display().to_string();
    topology.run(topology.compose.settings("backup"), [backup, vec![folder]].concat()).await;
}
