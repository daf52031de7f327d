//! A shared nats-server with the configuration that `luci nats config` prints, and the users that `luci env` prints.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use luci_schema::TenantId;
use serde_json::{Value, json};

use super::{connect, credential, raw::Raw};
use crate::support::{
    self, Api, MASTER_KEY, Servers, database, eventually, luci, on_server_thread, output, process, search, temp_dir,
};

/// A nats-server that ends with the test.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Starts a nats-server with this configuration, and waits until it listens.
pub async fn spawn(dir: &Path, config: &str, port: u16) -> Running {
    std::fs::write(dir.join("nats.conf"), config).expect("written");
    let program = search().nats(dir).expect("a nats-server");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).arg("-c").arg(dir.join("nats.conf"));
    let log = std::fs::File::create(dir.join("nats.log")).expect("a file");
    let child = on_server_thread(move || command.stdout(Stdio::null()).stderr(log).spawn().expect("it starts"));
    eventually("the server listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
    Running(child)
}

struct Server {
    port: u16,
    _running: Running,
    /// The settings that the configuration lists.
    settings: BTreeMap<String, String>,
}

/// Starts nats-server with what `luci nats config` prints; only its port and its folder are this test's.
async fn server(arguments: &[&str]) -> Server {
    let dir = temp_dir("shared");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let address = format!("127.0.0.1:{port}");
    let printed = output(
        &dir,
        &[&["nats", "config", "--server", &address], arguments].concat(),
        &[("LUCI_MASTER_KEY", MASTER_KEY)],
    )
    .await;
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let printed = String::from_utf8(printed.stdout).expect("text");
    let config = printed.replace("0.0.0.0:4222", &address);
    let config = config.replace("/var/lib/nats", &dir.join("jetstream").to_string_lossy());
    let running = spawn(&dir, &config, port).await;
    let settings = printed.lines().filter_map(|line| line.strip_prefix("#   ")?.split_once('='));
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Server { port, _running: running, settings }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_with_the_users_of_their_roles_serve_a_shared_server() {
    let (database, server) = (database().await, server(&[]).await);
    let store = temp_dir("objects");
    let listen = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").to_string();
    let url = format!("http://{listen}");
    let variables = |users: &[&'static str]| {
        let mut variables = vec![
            ("LUCI_DATABASE_URL", database.url().to_owned()),
            ("LUCI_STORE_URL", format!("file://{}", store.display())),
            ("LUCI_MASTER_KEY", MASTER_KEY.to_owned()),
            ("LUCI_PUBLIC_URL", url.clone()),
        ];
        variables.extend(users.iter().map(|user| (*user, server.settings[*user].clone())));
        variables
    };
    // No process knows a user that may do everything.
    let users = ["LUCI_NATS_GATEWAY_URL", "LUCI_NATS_CALLOUT_URL"];
    let mut gateway = process(&["serve", "gateway", "--listen", &listen], variables(&users)).await;
    let users = ["LUCI_NATS_RELAY_URL", "LUCI_NATS_ENGINE_URL", "LUCI_NATS_CLOCK_URL"];
    let mut others = process(&["serve", "relay", "engine", "clock", "projections"], variables(&users)).await;
    let created =
        output(&temp_dir("tenant"), &["tenant", "create", "Test", "--json"], &[("LUCI_DATABASE_URL", database.url())])
            .await;
    let created: Value = serde_json::from_slice(&created.stdout).expect("JSON");
    let api = Api::new(url.clone(), created["apiKey"].as_str().expect("a key"));
    eventually("the gateway answers", async || reqwest::get(format!("{url}/healthz")).await.is_ok()).await;
    let made = credential(&api).await;
    assert_eq!(
        (&made["url"], &made["webSocketUrl"]),
        (&json!(format!("nats://127.0.0.1:{}", server.port)), &Value::Null)
    );
    assert!(made["snippet"].as_str().is_some_and(|snippet| snippet.contains("transport-node")));
    eventually("a client is let in", async || connect(&made).await.is_ok()).await;
    let mut client =
        Raw::connect(server.port, &json!({"auth_token": made["credential"]["token"].as_str().expect("a token")})).await;
    client.send(&format!("SUB luci.{}.> 1\r\n", created["tenantId"].as_str().expect("an id"))).await;
    eventually("an event arrives", async || {
        api.post("/api/keys", &json!({"name": "k", "role": "viewer"})).await;
        !client.answers().await.messages.is_empty()
    })
    .await;
    for child in [&mut gateway, &mut others] {
        child.kill().expect("it ran");
        child.wait().expect("it ended");
    }
}

#[tokio::test]
async fn a_process_names_the_setting_that_its_role_needs() {
    let variables = [
        ("LUCI_DATABASE_URL", "postgres://luci@127.0.0.1:1/luci"),
        ("LUCI_NATS_RELAY_URL", "nats://luci_relay:x@127.0.0.1:1"),
        ("LUCI_MASTER_KEY", MASTER_KEY),
    ];
    let ended = output(&temp_dir("serve"), &["serve", "relay", "clock"], &variables).await;
    assert_eq!(ended.status.code(), Some(78));
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(errors.contains("LUCI_NATS_URL is not set"), "{errors}");
}

#[tokio::test]
async fn without_the_callout_a_tenant_has_a_user_that_does_not_end() {
    let (own, other) = (TenantId::generate(), TenantId::generate());
    let server = server(&["--tenant", &own.to_string(), "--tenant", &other.to_string()]).await;
    let vault = support::vault();
    let password = luci::broker::Passwords::client(&vault, own);
    let password = secrecy::ExposeSecret::expose_secret(&password);
    let options = json!({"user": own, "pass": password});
    let mut client = Raw::connect(server.port, &options).await;
    client.send(&format!("SUB luci.{own}.> 1\r\nSUB tele.{own}.> 2\r\nSUB _INBOX_{own}.> 3\r\n")).await;
    assert!(client.answers().await.errors.is_empty());
    for refused in
        [format!("SUB luci.{other}.> 1"), "SUB > 1".into(), "SUB evt.> 1".into(), format!("PUB luci.{own}.x 0\r\n")]
    {
        client.send(&format!("{refused}\r\n")).await;
        assert!(!client.answers().await.errors.is_empty(), "{refused}");
    }
    let mut wrong = Raw::connect(server.port, &json!({"user": other, "pass": password})).await;
    assert!(wrong.answers().await.closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_mode_has_the_same_users() {
    let (own, other) = (TenantId::generate(), TenantId::generate());
    let dir = temp_dir("jwt").join("users");
    let server = server(&["--jwt", &dir.to_string_lossy(), "--tenant", &own.to_string()]).await;
    // A run passes: every role may do its work.
    let (database, store) = (database().await, temp_dir("objects"));
    let mut variables: Vec<(&'static str, String)> = vec![
        ("LUCI_DATABASE_URL", database.url().to_owned()),
        ("LUCI_STORE_URL", format!("file://{}", store.display())),
        ("LUCI_MASTER_KEY", MASTER_KEY.to_owned()),
        ("LUCI_PUBLIC_URL", "http://127.0.0.1:9".to_owned()),
    ];
    for user in ["LUCI_NATS_RELAY_URL", "LUCI_NATS_ENGINE_URL", "LUCI_NATS_CLOCK_URL"] {
        variables.push((user, server.settings[user].clone()));
    }
    let mut roles = process(&["serve", "relay", "engine", "clock"], variables).await;
    let client = async |file: &str| {
        let options = async_nats::ConnectOptions::with_credentials_file(dir.join(format!("{file}.creds"))).await;
        let url = format!("nats://127.0.0.1:{}", server.port);
        options
            .expect("credentials")
            .custom_inbox_prefix(format!("_INBOX_{file}"))
            .connect(url)
            .await
            .expect("connected")
    };
    let operator = async_nats::jetstream::new(client("luci_operator").await);
    eventually("the relay has made EVT, and engines have made their consumers", async || {
        let Ok(stream) = operator.get_stream("EVT").await else { return false };
        stream.cached_info().state.consumer_count == 7
    })
    .await;
    roles.kill().expect("it ran");
    roles.wait().expect("it ended");
    // A tenant's client: its own events, and nothing else.
    let tenant = client(&own.to_string()).await;
    let mut events = tenant.subscribe(format!("luci.{own}.>")).await.expect("sent");
    let mut others = tenant.subscribe(format!("luci.{other}.>")).await.expect("sent");
    tenant.publish(format!("luci.{own}.forged"), "".into()).await.expect("sent");
    tenant.flush().await.expect("flushed");
    let publisher = client("luci_operator").await;
    eventually("its own event arrives", async || {
        for subject in [format!("luci.{other}.run"), format!("luci.{own}.run")] {
            publisher.publish(subject, "".into()).await.expect("sent");
        }
        publisher.flush().await.expect("flushed");
        futures::FutureExt::now_or_never(futures::StreamExt::next(&mut events))
            .flatten()
            .is_some_and(|message| message.subject.ends_with(".run"))
    })
    .await;
    assert!(futures::FutureExt::now_or_never(futures::StreamExt::next(&mut others)).flatten().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_gets_a_user_that_reads_and_commands_that_still_repair() {
    let mut luci = luci(Servers::Private).await;
    let printed = output(&luci.data_dir, &["env", "--json"], &[]).await;
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    let url = printed["LUCI_NATS_URL"].as_str().expect("a URL").to_owned();
    assert!(url.starts_with("nats://luci_reader:"), "{url}");
    let address: async_nats::ServerAddr = url.parse().expect("an address");
    let options = json!({"user": address.username(), "pass": address.password()});
    let mut client = Raw::connect(address.port(), &options).await;
    client.send("SUB luci.> 1\r\n").await;
    let api = luci.api();
    eventually("an event arrives", async || {
        api.post("/api/keys", &json!({"name": "k", "role": "viewer"})).await;
        !client.answers().await.messages.is_empty()
    })
    .await;
    client.send("PUB evt.x 0\r\n\r\n").await;
    assert!(client.answers().await.errors[0].contains("Permissions Violation"));
    // In a shell that has evaluated `luci env`: the operator's commands use the operator's user, and `up` its own server.
    let variables = [("LUCI_NATS_URL", url.as_str())];
    let repaired = output(&luci.data_dir, &["relay", "repair", "--json"], &variables).await;
    assert!(repaired.status.success(), "{}", String::from_utf8_lossy(&repaired.stderr));
    luci.kill().await;
    luci.set("LUCI_NATS_URL", url.clone());
    luci.start().await;
    let made = credential(&luci.api()).await;
    assert!(made["webSocketUrl"].as_str().is_some_and(|url| url.starts_with("ws://127.0.0.1:")), "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_ask_gives_tenants_no_credentials() {
    let (database, nats) = (database().await, support::nats().await);
    let luci = luci(Servers::on(&database, &nats)).await;
    let (status, problem) = luci.api().post("/api/nats-credentials", &json!({})).await;
    assert_eq!(
        (status.as_u16(), &problem["type"]),
        (409, &json!("urn:luci:problem:nats-credentials-off")),
        "{problem}"
    );
}
