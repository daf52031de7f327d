//! The example clients of `deploy/docs/nats/clients`: their connections are cut at random, and each sees every event once.
//!
//! Those of JavaScript and Python need node and nats-py, so they are left out of a plain `cargo test`; `make test` installs both.

use std::{path::PathBuf, process::Stdio, time::Duration};

use async_nats::{Client, ConnectOptions};
use luci::broker::BrokerUser;
use luci_runs::core::RunCommand;
use rand::Rng;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::fixture::{issue, start, still},
    support::{DEADLINE, System, eventually},
};

#[path = "../../deploy/docs/nats/clients/rust/follow.rs"]
mod follow;

/// How often the connection is cut.
const A_DOZEN: usize = 12;
const A_HUNDRED: usize = 100;
const NO_RUN: &str = "run_00000000000000000000000000";

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_client_sees_every_event_through_a_dozen_cuts() {
    rust(A_DOZEN).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs node; make test runs it"]
async fn the_javascript_client_sees_every_event_through_a_dozen_cuts() {
    javascript(A_DOZEN).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-py; make test runs it"]
async fn the_python_client_sees_every_event_through_a_dozen_cuts() {
    python(A_DOZEN).await;
}

/// `cargo test -p luci --test main -- --ignored --nocapture nats::clients::a_hundred`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute; run it by name"]
async fn a_hundred_cuts_of_each_client() {
    rust(A_HUNDRED).await;
    javascript(A_HUNDRED).await;
    python(A_HUNDRED).await;
}

async fn rust(cuts: usize) {
    let (system, run) = running().await;
    let (url, key, name) = (system.api.url.clone(), system.api.key.clone(), run.clone());
    let following = tokio::spawn(async move {
        let mut seen = Vec::new();
        let mut follower = follow::Follower::new(&url, &key, &name, |event: follow::Event| {
            seen.push(json!({"version": event.version, "id": event.id, "type": event.kind}));
        });
        follower.follow().await.expect("the gateway answers");
        drop(follower);
        seen
    });
    cut_and_end(&system, &run, cuts).await;
    let seen = tokio::time::timeout(DEADLINE, following).await.expect("it ends").expect("it follows");
    compare(&system, &run, &seen).await;
    let mut lost = follow::Follower::new(&system.api.url, &system.api.key, NO_RUN, |_| {});
    lost.follow().await.expect_err("refused");
}

async fn javascript(cuts: usize) {
    let client = docs().join("clients/javascript/follow.mjs");
    program("node", client, cuts).await;
}

async fn python(cuts: usize) {
    let python = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".tools/nats/bin/python");
    assert!(python.is_file(), "{} is missing: deploy/docs/nats/install.sh", python.display());
    program(&python.to_string_lossy(), docs().join("clients/python/follow.py"), cuts).await;
}

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/docs/nats")
}

async fn program(program: &str, client: PathBuf, cuts: usize) {
    let (system, run) = running().await;
    let follow = |run: &str| {
        let mut command = Command::new(program);
        command.arg(&client).arg(run).env("LUCI_URL", &system.api.url).env("LUCI_API_KEY", &system.api.key);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts")
    };
    let child = follow(&run);
    let mut output = std::pin::pin!(child.wait_with_output());
    let output = tokio::select! {
        () = cut_and_end(&system, &run, cuts) => tokio::time::timeout(DEADLINE, output).await.expect("it ends"),
        output = &mut output => output,
    };
    let output = output.expect("it ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    let seen: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    compare(&system, &run, &seen).await;
    let lost =
        tokio::time::timeout(DEADLINE, follow(NO_RUN).wait_with_output()).await.expect("it ends").expect("it ran");
    assert!(!lost.status.success(), "a request that is refused is not repeated for ever");
}

/// A started run that no worker executes: its events are those that the test makes.
async fn running() -> (System, String) {
    let system = still().await;
    let (run, _) = start(&system.api, 3).await;
    issue(&system, &run, RunCommand::Start).await;
    (system, run)
}

/// Pauses and resumes the run all the time, and cuts the client's connection at random moments; cancels the run afterwards.
async fn cut_and_end(system: &System, run: &str, cuts: usize) {
    let server = callout(system).await;
    let stop = CancellationToken::new();
    let events = async {
        while !stop.is_cancelled() {
            issue(system, run, RunCommand::Pause).await;
            issue(system, run, RunCommand::Resume).await;
        }
    };
    let cutting = async {
        for _ in 0..cuts {
            let pause = rand::rng().random_range(0..40);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            eventually("the client is connected", async || cut(&server).await > 0).await;
        }
        stop.cancel();
    };
    tokio::join!(events, cutting);
    issue(system, run, RunCommand::Cancel).await;
}

/// The events that the client has seen are those of the log, each once and in order.
async fn compare(system: &System, run: &str, seen: &[Value]) {
    let (mut logged, mut after) = (Vec::new(), 0);
    loop {
        let path = format!("/api/pipelines/{run}/events?after=v{after}&limit=200");
        let (status, page) = system.api.get(&path).await;
        assert_eq!(status, 200, "{page}");
        for event in page["events"].as_array().expect("events") {
            after = event["version"].as_u64().expect("a version");
            logged.push(json!({"version": after, "id": event["eventId"], "type": event["type"]}));
        }
        if page["hasMore"] != true {
            break;
        }
    }
    println!("{} events", logged.len());
    assert!(logged.len() > 20, "{}", logged.len());
    assert_eq!(seen.len(), logged.len());
    assert!(seen == logged, "another order, or other events");
}

async fn callout(system: &System) -> Client {
    let url: async_nats::ServerAddr = system.nats.url_of(BrokerUser::Callout).parse().expect("an address");
    let (user, password) = (url.username().expect("a user"), url.password().expect("a password"));
    let options = ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
    options.custom_inbox_prefix(format!("_INBOX_{user}")).connect(system.nats.url()).await.expect("connected")
}

/// Cuts every connection of a tenant's client; how many there were.
async fn cut(server: &Client) -> usize {
    let question = json!({"auth": true, "acc": "LUCI"}).to_string();
    let answer = server.request("$SYS.REQ.SERVER.PING.CONNZ", question.into()).await.expect("an answer");
    let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
    let connections = answer["data"]["connections"].as_array().expect("connections").iter();
    let clients: Vec<&Value> = connections
        .filter(|connection| {
            connection["authorized_user"].as_str().is_some_and(|user| user.starts_with("luci tenant_"))
        })
        .collect();
    for client in &clients {
        let subject = format!("$SYS.REQ.SERVER.{}.KICK", answer["server"]["id"].as_str().expect("an id"));
        server.request(subject, json!({"cid": client["cid"]}).to_string().into()).await.expect("answered");
    }
    clients.len()
}
