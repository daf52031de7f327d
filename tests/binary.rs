//! The real binary: an empty folder, a second start, kill -9, SIGTERM, wrong settings, the commands.

use std::{net::Ipv4Addr, os::unix::fs::PermissionsExt, path::Path, process::Output};

use luci_providers::ProvidersConfig;
use luci_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use crate::support::{Api, Servers, System, SystemOptions, luci, output, system_with, temp_dir};

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn last_json(output: &Output) -> Value {
    serde_json::from_str(out(output).lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("no JSON: {}\n{}", out(output), err(output)))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_goes_on_after_kill_9_and_ends_cleanly_on_sigterm() {
    let mut luci = luci(Servers::Private).await;
    for secret in ["credentials.json", "master.key", "instance.json"] {
        assert_eq!(mode(&luci.data_dir.join(secret)), 0o600, "{secret}");
    }
    assert_eq!(mode(&luci.data_dir.join("objects")), 0o700);
    let first = luci.api();
    assert_eq!(first.get("/api/pipelines").await.0, 200);

    let second = output(&luci.data_dir, &["up"], &[]).await;
    assert_eq!(second.status.code(), Some(1));
    assert!(err(&second).contains(&format!("in use by process {}", luci.pid())), "{}", err(&second));

    let servers = luci.servers();
    assert_eq!(servers.len(), 2, "a Postgres and a nats-server");
    luci.kill().await;
    assert_eq!(luci.servers(), servers, "they outlive a kill");
    luci.start().await;
    assert_eq!(luci.servers(), servers, "and are found again");
    assert_eq!(luci.api().key, first.key);
    assert_eq!(luci.api().get("/api/pipelines").await.0, 200);

    let ended = luci.stop().await;
    assert_eq!(ended.code(), Some(0));
    assert!(luci.servers().is_empty(), "nothing is left running");
    luci.start().await;
    assert_eq!(luci.api().get("/api/pipelines").await.0, 200);
    assert_eq!(luci.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_wait_while_postgres_restarts_after_a_kill() {
    let luci = luci(Servers::Private).await;
    let api = luci.api();
    let requests = || futures::future::join_all((0..8).map(|_| api.get("/api/pipelines")));
    for _ in 0..2 {
        // The pool has a connection for each request, and all of them die.
        requests().await;
        let killed = luci.kill_postgres().await;
        for (status, answer) in requests().await {
            assert_eq!(status, 200, "{answer}");
        }
        assert_eq!(luci.servers().len(), 2, "another Postgres runs");
        assert!(!luci.servers().contains(&killed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_ends_with_its_run_and_prints_a_summary() {
    let dir = temp_dir("demo");
    let arguments = ["demo", "--exit", "--json", "--leads", "300", "--listen", "127.0.0.1:0"];
    let ended = output(&dir, &arguments, &[]).await;
    assert_eq!(ended.status.code(), Some(0), "{}", err(&ended));
    let summary = last_json(&ended);
    assert_eq!((&summary["status"], &summary["totalLeads"]), (&"completed".into(), &300.into()), "{summary}");
    let stages = summary["stages"].as_object().expect("stages");
    assert_eq!(stages.len(), 7);
    for (name, stage) in stages {
        let count = |field: &str| stage[field].as_u64().expect("a number");
        let processed = count("success") + count("noMatch") + count("failed");
        assert_eq!(count("input"), processed + count("skipped"), "{name}");
        assert_eq!(count("output"), count("input") - count("failed"), "{name}");
    }
    let failed = &summary["failedLeads"];
    assert_eq!(failed["total"], stages.values().map(|stage| stage["failed"].as_u64().expect("a number")).sum::<u64>());
    let by_reason = failed["reasons"].as_object().expect("reasons").values();
    assert_eq!(failed["total"], by_reason.map(|leads| leads.as_u64().expect("a number")).sum::<u64>());
    assert_eq!(summary["repeated"], serde_json::json!({"sameRun": true, "newEvents": 0}));
    assert!(!dir.join("postgres/postmaster.pid").exists(), "its servers are stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_is_2_and_wrong_settings_are_78_all_at_once() {
    let dir = temp_dir("wrong");
    for wrong in [&["serve", "everything"][..], &["demo", "--leads", "0"]] {
        assert_eq!(output(&dir, wrong, &[]).await.status.code(), Some(2), "{wrong:?}");
    }
    let wrong = [("LUCI_LISTEN", "nowhere"), ("LUCI_NATS_URL", "http://x"), ("LUCI_DATABSE_URL", "postgres://x")];
    let ended = output(&dir, &["up"], &wrong).await;
    assert_eq!(ended.status.code(), Some(78));
    for (name, _) in wrong {
        assert!(err(&ended).contains(name), "{}", err(&ended));
    }
    let unset = output(&dir, &["serve", "all"], &[]).await;
    assert_eq!(unset.status.code(), Some(78));
    assert!(err(&unset).contains("LUCI_DATABASE_URL"), "{}", err(&unset));
    let keyless = [
        ("LUCI_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ("LUCI_NATS_URL", "nats://127.0.0.1:1"),
        ("LUCI_MASTER_KEY", crate::support::MASTER_KEY),
        ("LUCI_STORE_URL", "file:///tmp"),
        ("LUCI_PUBLIC_URL", "http://127.0.0.1:1"),
        ("LUCI_SEAL_KEY", "/nowhere/seal.key"),
    ];
    let keyless = output(&dir, &["serve", "clock"], &keyless).await;
    assert_eq!(keyless.status.code(), Some(78), "{}", err(&keyless));
    assert!(err(&keyless).contains("LUCI_SEAL_KEY: /nowhere/seal.key cannot be used"), "{}", err(&keyless));
    let no_server = output(&dir, &["up"], &[("PATH", ""), ("LUCI_NATS_SERVER", "/bin/true")]).await;
    assert_eq!(no_server.status.code(), Some(78), "{}", err(&no_server));
}

/// A system with sandbox providers for the commands.
pub async fn served() -> (System, Sandbox) {
    let sandbox = Sandbox::start((Ipv4Addr::LOCALHOST, 0).into(), SandboxOptions::default()).await.expect("a sandbox");
    let providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
    (system_with(SystemOptions { providers, ..SystemOptions::default() }).await, sandbox)
}

pub async fn luci_as(api: &Api, dir: &Path, arguments: &[&str]) -> Output {
    output(dir, arguments, &[("LUCI_URL", &api.url), ("LUCI_API_KEY", &api.key)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_holds_no_leads_is_refused_before_the_upload() {
    let ((system, sandbox), dir) = (served().await, temp_dir("no-file"));
    std::fs::write(dir.join("empty.csv"), "").expect("written");
    for (file, expected) in
        [(dir.clone(), "is not a file"), (dir.join("empty.csv"), "is empty"), (dir.join("none"), "cannot read")]
    {
        let refused = luci_as(&system.api, &dir, &["import", file.to_str().expect("text")]).await;
        assert_eq!(refused.status.code(), Some(1));
        let message = err(&refused);
        assert!(message.contains(expected) && !message.contains("sig="), "a signed address is a secret: {message}");
    }
    assert_eq!(system.api.get("/api/imports").await.1["imports"], serde_json::json!([]));
    system.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_take_a_csv_through_and_prove_its_history() {
    let ((system, sandbox), dir) = (served().await, temp_dir("commands"));
    let file = dir.join("leads.csv");
    luci::cli::demo::sample::write(&file, 120).expect("a sample");
    let api = &system.api;

    let imported = luci_as(api, &dir, &["import", file.to_str().expect("text"), "--watch", "--json"]).await;
    assert_eq!(imported.status.code(), Some(0), "{}", err(&imported));
    let summary = last_json(&imported);
    let run = summary["runId"].as_str().expect("an id").to_owned();
    assert_eq!(summary["status"], "completed");

    let listed = out(&luci_as(api, &dir, &["run", "list"]).await);
    assert!(listed.contains(&run) && listed.contains("100%"), "{listed}");
    let history = luci_as(api, &dir, &["audit", "history", &run, "--json"]).await;
    let versions: Vec<Value> = out(&history).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let expected = summary["events"].as_u64().expect("a number");
    assert_eq!(u64::try_from(versions.len()).ok(), Some(expected));
    assert!((1..).zip(&versions).all(|(version, event): (u64, _)| event["version"] == version));
    let verified = luci_as(api, &dir, &["audit", "verify", &run]).await;
    assert_eq!(verified.status.code(), Some(0), "{}", out(&verified));

    let late = luci_as(api, &dir, &["run", "pause", &run]).await;
    assert_eq!(late.status.code(), Some(1), "a completed run cannot be paused");
    assert!(err(&late).contains("409"), "{}", err(&late));

    system.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_works_until_it_is_revoked() {
    let ((system, sandbox), dir) = (served().await, temp_dir("keys"));
    let made =
        last_json(&luci_as(&system.api, &dir, &["key", "create", "reports", "--role", "viewer", "--json"]).await);
    let viewer = Api::new(system.api.url.clone(), made["key"].as_str().expect("a key"));
    assert_eq!(luci_as(&viewer, &dir, &["run", "list"]).await.status.code(), Some(0));
    assert_eq!(
        luci_as(&viewer, &dir, &["key", "create", "more"]).await.status.code(),
        Some(1),
        "a viewer makes no keys"
    );
    let id = made["keyId"].as_str().expect("an id");
    assert_eq!(luci_as(&system.api, &dir, &["key", "revoke", id]).await.status.code(), Some(0));
    assert_eq!(luci_as(&viewer, &dir, &["run", "list"]).await.status.code(), Some(1), "revoked at once");
    system.stop().await;
    sandbox.stop().await;
}
