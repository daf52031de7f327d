//! A cluster of three nats-servers: replicas of EVT, a lost server, and clients at another server than the gateway's.

use std::{collections::BTreeMap, net::TcpListener};

use async_nats::jetstream;
use luci::broker::{self, BrokerAccess, BrokerUser, ClientAccess, Clients, Passwords};
use luci_runs::{broker::EvtOptions, relay::RelayOptions};
use serde_json::json;

use super::{
    credential,
    raw::Raw,
    shared::{Running, spawn},
    token,
};
use crate::{
    flow::fixture::{assert_equal, chatter, log, quick, relay, relayed},
    support::{self, Api, SystemOptions, database, eventually, system_with, temp_dir},
};

struct Cluster {
    servers: Vec<Running>,
    ports: Vec<u16>,
    passwords: Passwords,
}

fn free_ports(count: usize) -> Vec<u16> {
    // All are open at the same time, so that they differ.
    let sockets: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    sockets.iter().map(|socket| socket.local_addr().expect("bound").port()).collect()
}

async fn cluster() -> Cluster {
    let (ports, routes) = (free_ports(3), free_ports(3));
    let passwords = Passwords::new(&support::vault()).expect("passwords");
    let accounts = broker::accounts(&passwords, &Clients::Callout);
    let all: Vec<String> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
    let mut servers = Vec::new();
    for (at, (port, route)) in ports.iter().zip(&routes).enumerate() {
        let dir = temp_dir("cluster");
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nserver_name: n{at}\njetstream {{ store_dir: \"{}\" }}\n\
             cluster {{ name: luci, listen: \"127.0.0.1:{route}\", routes: [{}] }}\n{accounts}",
            dir.join("jetstream").display(),
            all.join(", ")
        );
        servers.push(spawn(&dir, &config, *port).await);
    }
    let cluster = Cluster { servers, ports, passwords };
    let context = jetstream::new(cluster.client(0).await);
    eventually("JetStream has a leader", async || context.query_account().await.is_ok()).await;
    cluster
}

impl Cluster {
    fn url(&self, at: usize, user: BrokerUser) -> String {
        format!("nats://{}:{}@127.0.0.1:{}", user.name(), self.passwords.of(user), self.ports[at])
    }

    async fn client(&self, at: usize) -> async_nats::Client {
        luci_runs::broker::connect(&self.url(at, BrokerUser::Operator), "test").await.expect("an address")
    }

    /// The users at an address where no server is, and at the first server.
    fn access(&self) -> BrokerAccess {
        let closed = free_ports(1)[0];
        let urls = |user: BrokerUser| {
            let password = self.passwords.of(user);
            format!("nats://{}:{password}@127.0.0.1:{closed}, {}", user.name(), self.url(0, user))
        };
        let users: BTreeMap<_, _> = BrokerUser::ALL.map(|user| (user, urls(user).into())).into();
        let clients = ClientAccess { url: format!("nats://127.0.0.1:{}", self.ports[2]), web_socket_url: None };
        BrokerAccess::shared(urls(BrokerUser::Operator).into()).with_users(users, clients)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evt_has_replicas_and_outlives_a_server() {
    let (database, mut cluster) = (database().await, cluster().await);
    let log = log(&database).await;
    let with = |replicas| RelayOptions {
        evt: EvtOptions { replicas: Some(replicas), ..EvtOptions::default() },
        ..quick("one")
    };
    let replicas = async |client: &async_nats::Client| {
        let found = jetstream::new(client.clone()).get_stream("EVT").await.ok();
        found.map(|stream| stream.cached_info().config.num_replicas)
    };
    let client = cluster.client(1).await;
    let relaying = relay(with(1), &log, &cluster.url(0, BrokerUser::Relay)).await;
    chatter(&log, 20).await;
    relayed(&client, &log).await;
    assert_eq!(replicas(&client).await, Some(1));
    relaying.end().await;
    // A setting that is changed later.
    let relaying = relay(with(3), &log, &cluster.url(0, BrokerUser::Relay)).await;
    eventually("EVT has three replicas", async || replicas(&client).await == Some(3)).await;
    let stream = async || jetstream::new(client.clone()).get_stream("EVT").await.expect("EVT");
    eventually("the replicas are current", async || {
        let info = stream().await.cached_info().clone();
        info.cluster
            .is_some_and(|cluster| cluster.replicas.len() == 2 && cluster.replicas.iter().all(|one| one.current))
    })
    .await;
    cluster.servers.remove(0);
    chatter(&log, 20).await;
    relayed(&client, &log).await;
    assert_equal(&client, &log).await;
    relaying.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_at_another_server_is_let_in_and_ends_with_its_key() {
    let cluster = cluster().await;
    let options = SystemOptions { broker: Some(cluster.access()), ..SystemOptions::default() };
    let system = system_with(options).await;
    let (status, created) = system.api.post("/api/keys", &json!({"name": "v", "role": "viewer"})).await;
    assert_eq!(status, 201, "{created}");
    let made = credential(&Api::new(system.api.url.clone(), created["key"].as_str().expect("a key"))).await;
    let open = async |at: usize| {
        let mut client = Raw::connect(cluster.ports[at], &json!({"auth_token": token(&made)})).await;
        client.send(&format!("SUB luci.{}.> 1\r\n", system.tenant)).await;
        let answers = client.answers().await;
        assert!(!answers.closed && answers.errors.is_empty(), "{answers:?}");
        client
    };
    let (mut near, mut far) = (open(0).await, open(2).await);
    let path = format!("/api/keys/{}", created["keyId"].as_str().expect("an id"));
    assert_eq!(system.api.delete(&path).await.0, 202);
    // The revocation is an event that both may still receive.
    assert!(near.end().await.closed && far.end().await.closed);
}
