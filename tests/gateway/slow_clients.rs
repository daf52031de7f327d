//! Clients that send or read too slowly are disconnected, and hold nothing.

use std::time::Duration;

use luci::process::ProcessRole;
use luci_gateway::Options;
use luci_schema::{BlockEvent, BlockId, Event, RunId, Stage, Version, event::BlockStarted};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{
    flow::fixture::append,
    support::{DEADLINE, System, SystemOptions, eventually, system_with},
};

async fn system(gateway: Options) -> System {
    system_with(SystemOptions { roles: vec![ProcessRole::Gateway], gateway, ..SystemOptions::default() }).await
}

/// A connection that can receive little before it is read from.
async fn connection(system: &System) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4 << 10).expect("a small buffer");
    let address = system.api.url.trim_start_matches("http://").parse().expect("an address");
    socket.connect(address).await.expect("a connection")
}

fn head(system: &System, request: &str, more: &str) -> String {
    format!("{request} HTTP/1.1\r\nhost: luci\r\nauthorization: Bearer {}\r\n{more}\r\n", system.api.key)
}

#[tokio::test]
async fn a_body_that_trickles_in_is_answered_408_and_the_connection_is_closed() {
    let system = system(Options { body_timeout: Duration::from_millis(500), ..Options::default() }).await;
    for (request, kind, begin) in [
        ("POST /api/imports?fileName=a.csv", "text/csv", "Company,Phone\n"),
        ("POST /api/pipelines", "application/json", "{\"importId\": \""),
        ("POST /api/session", "application/json", "{\"key\": \""),
    ] {
        let mut stream = connection(&system).await;
        let more = format!("content-type: {kind}\r\ncontent-length: 1000000\r\n");
        stream.write_all((head(&system, request, &more) + begin).as_bytes()).await.expect("open");
        let (mut reads, mut writes) = stream.into_split();
        // Always sooner than a chunk is late.
        let trickle = tokio::spawn(async move {
            while writes.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let mut answer = Vec::new();
        // A reset after the answer is an end too.
        let _reset = timeout(DEADLINE, reads.read_to_end(&mut answer)).await.expect("closed");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body-timeout"), "{request}: {answer:?}");
        trickle.await.expect("ended by the closed connection");
    }
}

/// 20 MB of events: more than fits between the log and a client that reads nothing.
async fn many_events(system: &System) {
    let (run, block_id) = (RunId::generate(), BlockId::generate());
    let (stage, block_number, provider) = (Stage::Enrich, 1, "x".repeat(4_000));
    for batch in 0..25_u32 {
        let started = |attempt| BlockStarted { block_id, stage, block_number, attempt, provider: provider.clone() };
        let events = (0..200).map(|n| Event::Block(BlockEvent::Started(started(batch * 200 + n)))).collect();
        let version = Version(u64::from(batch) * 200);
        append(&system.running.log, system.tenant, run.into(), version, events).await;
    }
}

const WEBSOCKET: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Clients that ask for much and read nothing: of a stream, of a WebSocket, of answers one after the other.
fn greedy_requests(system: &System) -> [String; 3] {
    [
        head(system, "GET /api/stream?after=0", ""),
        head(system, "GET /ws/pipelines?after=0", WEBSOCKET),
        head(system, "GET /api/openapi.json", "").repeat(200),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_nothing_are_disconnected() {
    let gateway = Options {
        write_timeout: Duration::from_millis(500),
        // Nothing else ends these connections.
        header_timeout: Duration::from_secs(3_600),
        heartbeat: Duration::from_secs(3_600),
        max_connections: 1,
        ..Options::default()
    };
    let system = system(gateway).await;
    many_events(&system).await;
    for request in greedy_requests(&system) {
        let mut client = connection(&system).await;
        client.write_all(request.as_bytes()).await.expect("open");
        // The client has the only connection of the gateway; another one is answered when that is closed.
        let mut other = connection(&system).await;
        other.write_all(b"GET /healthz HTTP/1.1\r\nhost: luci\r\nconnection: close\r\n\r\n").await.expect("open");
        let mut answer = String::new();
        let read = timeout(DEADLINE, other.read_to_string(&mut answer)).await;
        read.unwrap_or_else(|_| panic!("not disconnected: {}", &request[..30])).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_clients_that_read_nothing() {
    let gateway = Options { write_timeout: Duration::from_secs(3_600), ..Options::default() };
    let system = system(gateway).await;
    many_events(&system).await;
    let mut clients = Vec::new();
    for request in greedy_requests(&system) {
        let mut client = connection(&system).await;
        client.write_all(request.as_bytes()).await.expect("open");
        clients.push(client);
    }
    system.stop().await;
    for client in &mut clients {
        eventually("the connection is closed", async || client.write_all(b"x").await.is_err()).await;
    }
}
