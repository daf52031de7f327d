//! Streams that restart, and streams that end with their credential.

use std::time::Duration;

use futures::StreamExt;
use luci_runs::core::RunCommand;
use luci_schema::Micros;
use reqwest::{Method, Response};
use serde_json::json;
use tokio::time::timeout;

use super::{
    fixture::{issue, start, still},
    keys::sign_in,
    streams::{Socket, versions},
};
use crate::{
    flow::fixture::chatter,
    support::{Api, DEADLINE, System, SystemOptions, system_with},
};

/// A system whose streams check their credential often.
async fn watched() -> System {
    use luci::process::ProcessRole;
    let roles = vec![ProcessRole::Gateway, ProcessRole::Projections, ProcessRole::Relay];
    let mut options = SystemOptions { roles, ..SystemOptions::default() };
    options.gateway.heartbeat = Duration::from_millis(200);
    system_with(options).await
}

async fn stream(api: &Api, headers: &[(&str, &str)]) -> Response {
    let mut request = api.request(Method::GET, "/api/stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

/// The text of a stream until it ends.
async fn whole(response: Response) -> String {
    let text = timeout(DEADLINE, response.text()).await.expect("the stream ends");
    text.expect("text")
}

/// The text of a stream until it contains something.
async fn until(response: Response, part: &str) -> String {
    let mut body = response.bytes_stream();
    let mut text = String::new();
    while !text.contains(part) {
        let chunk = timeout(DEADLINE, body.next()).await.expect("in time").expect("open");
        text.push_str(&String::from_utf8_lossy(&chunk.expect("a chunk")));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_key_expires() {
    let system = watched().await;
    let at = Micros::now().plus_millis(2_000).rfc3339();
    let body = json!({"name": "short", "role": "viewer", "expiresAt": at});
    let (status, made) = system.api.post("/api/keys", &body).await;
    assert_eq!(status, 201, "{made}");
    let short = Api::new(system.api.url.clone(), made["key"].as_str().expect("a key"));
    let text = whole(stream(&short, &[]).await).await;
    assert!(text.contains("\"type\":\"snapshot\"") && text.contains("\"type\":\"heartbeat\""), "{text}");
    assert_eq!(stream(&short, &[]).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_sign_out() {
    let system = watched().await;
    let cookie = sign_in(&system.api.url, &system.api.key).await;
    let url = &system.api.url;
    let client = reqwest::Client::new();
    let response = client.get(format!("{url}/api/stream")).header("cookie", &cookie).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let closed = client.delete(format!("{url}/api/session")).header("cookie", &cookie).header("origin", url);
    assert_eq!(closed.send().await.expect("an answer").status(), 204);
    whole(response).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_have_an_id_and_a_wrong_one_gets_a_snapshot() {
    let system = watched().await;
    let (_, position) = start(&system.api, 2).await;
    let response = stream(&system.api, &[]).await;
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let text = until(response, "\"type\":\"heartbeat\"").await;
    let beat = text.split("\n\n").find(|event| event.contains("heartbeat")).expect("one");
    let id = beat.lines().find_map(|line| line.strip_prefix("id:")).expect("an id");
    assert!(id.trim().parse::<u64>().expect("a position") >= position, "{beat}");
    for wrong in ["abc", "-1", "1.5", "99999999999999999999999"] {
        let response = stream(&system.api, &[("last-event-id", wrong)]).await;
        assert_eq!(response.status(), 200, "{wrong}");
        until(response, "\"type\":\"snapshot\"").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_is_not_sent_is_said() {
    let system = still().await;
    let (run, position) = start(&system.api, 2).await;
    // Another tenant is busy: positions count all tenants' events.
    chatter(&system.running.log, 20_050).await;
    issue(&system, &run, RunCommand::Cancel).await;
    let text =
        until(stream(&system.api, &[("last-event-id", &position.to_string())]).await, "\"type\":\"snapshot\"").await;
    let first = text.split("\n\n").next().expect("an event");
    assert!(first.contains("\"type\":\"reset\"") && first.contains(&format!("\"from\":{position}")), "{text}");
    // One run's events are always sent whole.
    let mut socket = Socket::open(&system.api, &format!("?runId={run}&after={position}")).await;
    assert_eq!(socket.frame().await["type"], "snapshot");
    assert_eq!(versions(&socket.until("run:cancelled").await), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_subscription_replays_from_its_position() {
    let system = still().await;
    let (run, position) = start(&system.api, 2).await;
    let mut socket = Socket::open(&system.api, "").await;
    socket.frame().await;
    issue(&system, &run, RunCommand::Cancel).await;
    socket.until("run:cancelled").await;
    for topic in ["runs".to_owned(), format!("run:{run}"), "runs".to_owned()] {
        socket.say(&json!({"type": "subscribe", "topic": topic, "after": position})).await;
        let frames = socket.until("run:cancelled").await;
        assert_eq!(frames[0]["type"], "snapshot", "{topic}");
        assert_eq!(versions(&frames), [2], "{topic}");
    }
}
