//! Event streams: snapshot, then every event once and in order; resumed without a gap; the same over SSE.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use luci_runs::core::RunCommand;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::fixture::{issue, start, still, whole};
use crate::support::Api;

pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn open(api: &Api, query: &str) -> Self {
        let url = api.url.replace("http:", "ws:");
        let mut request = format!("{url}/ws/pipelines{query}").into_client_request().expect("a request");
        let key = format!("Bearer {}", api.key).parse().expect("a header");
        request.headers_mut().insert("authorization", key);
        Self(connect_async(request).await.expect("upgraded").0)
    }

    pub async fn say(&mut self, body: &Value) {
        self.0.send(Message::text(body.to_string())).await.expect("sent");
    }

    /// The next frame that is no heartbeat.
    pub async fn frame(&mut self) -> Value {
        loop {
            let message = timeout(Duration::from_secs(30), self.0.next()).await.expect("in time");
            let message = message.expect("open").expect("a message");
            let Message::Text(text) = message else { panic!("{message:?}") };
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            if frame["type"] != "heartbeat" {
                return frame;
            }
        }
    }

    /// Frames until one of this type, that one included.
    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.frame().await);
            if frames.last().is_some_and(|frame| frame["type"] == kind) {
                return frames;
            }
        }
    }
}

/// Versions of the events among frames: artifacts and telemetry have none of their own.
pub fn versions(frames: &[Value]) -> Vec<u64> {
    let events = frames.iter().filter(|f| f["type"] != "artifact:created" && f["type"] != "snapshot");
    events.filter_map(|frame| frame["version"].as_u64()).collect()
}

#[tokio::test]
async fn a_run_is_watched_from_its_first_event_to_its_last() {
    let (system, _sandbox) = whole().await;
    let mut all = Socket::open(&system.api, "").await;
    let first = all.frame().await;
    assert_eq!((&first["type"], &first["runs"]), (&json!("snapshot"), &json!([])));
    let (run, _) = start(&system.api, 40).await;
    let frames = all.until("run:completed").await;
    let seen = versions(&frames);
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>(), "every version once, in order");
    assert!(frames.iter().any(|f| f["type"] == "artifact:created" && f["runId"] == run.as_str()));
    let done = frames.iter().find(|f| f["type"] == "block:completed").expect("one");
    assert!(done["metrics"]["processedCount"].is_u64() && done["progress"].is_u64(), "{done}");

    // A second client resumes after the first five events.
    let after = frames.iter().find(|f| f["version"] == 5).expect("the fifth")["position"].clone();
    let mut late = Socket::open(&system.api, &format!("?runId={run}&after={after}")).await;
    assert_eq!(late.frame().await["type"], "snapshot");
    let rest = versions(&late.until("run:completed").await);
    assert_eq!(rest, (6..=seen.len() as u64).collect::<Vec<_>>(), "no hole, no repeat");
}

#[tokio::test]
async fn topics_come_and_go_and_nothing_comes_twice() {
    let system = still().await;
    let (run, _) = start(&system.api, 2).await;
    let (other, _) = start(&system.api, 2).await;
    let mut socket = Socket::open(&system.api, &format!("?runId={run}")).await;
    let snapshot = socket.frame().await;
    assert!(snapshot["topic"].as_str().is_some_and(|topic| topic.ends_with(&run)), "{snapshot}");
    socket.say(&json!({"type": "subscribe", "topic": "runs"})).await;
    let frames = socket.until("snapshot").await;
    assert_eq!(frames.last().expect("one")["topic"], "runs");
    issue(&system, &other, RunCommand::Cancel).await;
    issue(&system, &run, RunCommand::Cancel).await;
    let mut cancelled = vec![];
    while cancelled.len() < 2 {
        let frame = socket.frame().await;
        if frame["type"] == "run:cancelled" {
            cancelled.push(frame["runId"].as_str().expect("an id").to_owned());
        }
    }
    cancelled.sort();
    let mut expected = [run.clone(), other.clone()];
    expected.sort();
    assert_eq!(cancelled, expected, "each once, though one is on both topics");
    socket.say(&json!({"type": "subscribe", "topic": "run:run_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"})).await;
    assert_eq!(socket.frame().await["type"], "error");
    socket.say(&json!({"type": "sing"})).await;
    assert_eq!(socket.frame().await["type"], "error");
}

#[tokio::test]
async fn without_a_broker_the_log_is_followed() {
    let mut system = still().await;
    system.nats.kill().await;
    let mut socket = Socket::open(&system.api, "").await;
    socket.frame().await;
    let (run, _) = start(&system.api, 2).await;
    let frame = socket.frame().await;
    assert_eq!((&frame["type"], &frame["runId"]), (&json!("run:queued"), &json!(run)));
}

#[tokio::test]
async fn another_tenant_gets_no_events() {
    let system = still().await;
    let (_, stranger) = system.other_tenant("stranger").await;
    let mut theirs = Socket::open(&stranger, "").await;
    theirs.frame().await;
    let mut mine = Socket::open(&system.api, "").await;
    mine.frame().await;
    start(&system.api, 2).await;
    assert_eq!(mine.frame().await["type"], "run:queued");
    let received = timeout(Duration::from_millis(300), theirs.0.next()).await;
    assert!(received.is_err(), "{received:?}");
}

#[tokio::test]
async fn heartbeats_carry_the_position_of_the_stream() {
    let system = still().await;
    let (_, position) = start(&system.api, 2).await;
    let mut socket = Socket::open(&system.api, "").await;
    socket.frame().await;
    let beat = loop {
        let message = timeout(Duration::from_secs(8), socket.0.next()).await.expect("each five seconds");
        let text = message.expect("open").expect("a message").into_text().expect("text");
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if frame["type"] == "heartbeat" {
            break frame;
        }
    };
    assert!(beat["position"].as_u64().is_some_and(|at| at >= position), "{beat}");
    assert!(beat["lagMs"].is_u64());
}

#[tokio::test]
async fn server_sent_events_carry_the_same_and_resume_by_their_ids() {
    let system = still().await;
    let (run, position) = start(&system.api, 2).await;
    issue(&system, &run, RunCommand::Cancel).await;
    let request = system.api.request(Method::GET, "/api/stream").header("last-event-id", position);
    let mut body = request.send().await.expect("an answer").bytes_stream();
    let mut text = String::new();
    while !text.contains("run:cancelled") {
        let chunk = timeout(Duration::from_secs(10), body.next()).await.expect("in time").expect("open");
        text.push_str(&String::from_utf8_lossy(&chunk.expect("a chunk")));
    }
    let events: Vec<&str> = text.split("\n\n").collect();
    assert!(events[0].contains("\"type\":\"snapshot\"") && events[0].contains("retry:1000"), "{text}");
    assert!(!text.contains("\"type\":\"run:queued\""), "it was seen before: {text}");
    let cancelled = events.iter().find(|event| event.contains("\"type\":\"run:cancelled\"")).expect("one");
    assert!(cancelled.contains("id:"), "{cancelled}");
}

#[tokio::test]
async fn a_plain_request_to_the_socket_gets_upgrade_required() {
    let system = still().await;
    let (status, problem) = system.api.get("/ws/pipelines").await;
    assert_eq!(status, 426, "{problem}");
}

#[tokio::test]
async fn a_long_gap_comes_whole_over_a_socket() {
    let system = still().await;
    let (run, _) = start(&system.api, 3).await;
    issue(&system, &run, RunCommand::Start).await;
    for _ in 0..200 {
        issue(&system, &run, RunCommand::Pause).await;
        issue(&system, &run, RunCommand::Resume).await;
    }
    issue(&system, &run, RunCommand::Cancel).await;
    for query in ["?after=0".to_owned(), format!("?after=0&runId={run}")] {
        let mut socket = Socket::open(&system.api, &query).await;
        assert_eq!(socket.frame().await["type"], "snapshot");
        let seen = versions(&socket.until("run:cancelled").await);
        assert!(seen.len() > 400, "more than is written before a flush");
        assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>(), "every version once, in order: {query}");
    }
}

#[tokio::test]
async fn a_position_beyond_the_log_hides_nothing() {
    let system = still().await;
    let (run, _) = start(&system.api, 3).await;
    let mut all = Socket::open(&system.api, "?after=999999").await;
    let mut one = Socket::open(&system.api, &format!("?after=999999&runId={run}")).await;
    for socket in [&mut all, &mut one] {
        let reset = socket.frame().await;
        assert_eq!((&reset["type"], &reset["from"]), (&json!("reset"), &json!(999_999)), "{reset}");
        let snapshot = socket.frame().await;
        assert_eq!((&snapshot["type"], &snapshot["position"]), (&json!("snapshot"), &reset["to"]));
    }
    issue(&system, &run, RunCommand::Cancel).await;
    for socket in [&mut all, &mut one] {
        let frame = socket.frame().await;
        assert_eq!((&frame["type"], &frame["runId"]), (&json!("run:cancelled"), &json!(run)));
    }
}
