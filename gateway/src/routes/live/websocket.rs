//! `GET /ws/pipelines`: the frames over a WebSocket, with topics to subscribe to and unsubscribe from.
//!
//! The upgrade is done here: the WebSocket of warp has a read buffer of 128 KiB, 640 MB for 5,000 watchers.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, SinkExt, StreamExt};
use http::{HeaderValue, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use luci_schema::{Position, RunId};
use serde::Deserialize;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tracing::Instrument;
use warp::reply::Response;

use crate::{
    App,
    caller::Caller,
    connection::Connection,
    live::{Opening, Step, Watcher, frame},
    problem::Problem,
    request::Request,
    routes::HandlerResult,
};

/// The size limit of a client message, in bytes.
const MESSAGE_LIMIT: usize = 16 << 10;

/// Buffer sizes of a socket, in bytes. Clients send little.
const READ_BUFFER: usize = 2 << 10;
const WRITE_BUFFER: usize = 16 << 10;

/// Events written before the socket is flushed, at most.
const BATCH: usize = 128;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A message of a client.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum ClientMessage {
    Subscribe { topic: String, after: Option<u64> },
    Unsubscribe { topic: String },
    Ping,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let run: Option<RunId> = request.query_as("runId")?;
    let after = request.query_as::<u64>("after")?.map(Position);
    let (key, upgrade) = handshake(&mut request)?;
    // Before the upgrade, so that an unknown run is a 404 and not a closed socket.
    let mut watcher = Watcher::new(Arc::clone(&app), caller.tenant);
    let opening = watcher.follow(run, after).await?;
    let connection = request.connection.clone();
    app.streams.spawn({
        let app = Arc::clone(&app);
        async move {
            if let Ok(upgraded) = upgrade.await {
                let socket =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config())).await;
                Session { app, caller, watcher, socket, _connection: connection }.run(opening).await;
            }
        }
        .in_current_span()
    });
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|e| Problem::internal(&e))?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        // The snapshot is one message, larger than a batch of events.
        .max_write_buffer_size(64 << 20)
        .max_message_size(Some(MESSAGE_LIMIT))
        .max_frame_size(Some(MESSAGE_LIMIT))
}

/// The key of the client and the pending upgrade, or 426.
fn handshake(request: &mut Request) -> Result<(String, OnUpgrade), Problem> {
    let header_has = |name: &str, token: &str| {
        request.header(name).is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    };
    let is_upgrade = header_has("connection", "upgrade")
        && header_has("upgrade", "websocket")
        && header_has("sec-websocket-version", "13");
    let key = request.header("sec-websocket-key").map(str::to_owned);
    match (is_upgrade, key, request.upgrade.take()) {
        (true, Some(key), Some(upgrade)) => Ok((key, upgrade)),
        _ => Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "websocket", "WebSocket required")
            .detail("Use /api/stream for server-sent events.")
            .header(header::UPGRADE, "websocket")),
    }
}

/// One open socket.
struct Session {
    app: Arc<App>,
    caller: Caller,
    watcher: Watcher,
    socket: Socket,
    /// Counts against the connection limit while the socket is open.
    _connection: Option<Connection>,
}

/// Why the server closes a socket.
type CloseReason = (CloseCode, &'static str);

impl Session {
    async fn run(mut self, opening: Opening) {
        if let Err((code, reason)) = self.watch(opening).await {
            let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
            let _ = tokio::time::timeout(Duration::from_secs(1), self.socket.send(close)).await;
        }
    }

    async fn watch(&mut self, opening: Opening) -> Result<(), CloseReason> {
        self.open(opening).await?;
        let mut heartbeat = tokio::time::interval(self.app.options.heartbeat);
        heartbeat.reset();
        loop {
            tokio::select! {
                biased;
                () = self.app.stop.cancelled() => return Err((CloseCode::Away, "server shutting down")),
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.receive(&text).await?,
                    Some(Ok(Message::Binary(_))) => return Err((CloseCode::Unsupported, "text messages only")),
                    Some(Ok(Message::Close(_))) | None => return Ok(()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(protocol_error(&error)),
                },
                step = self.watcher.next() => self.batch(step).await?,
                _ = heartbeat.tick() => self.heartbeat().await?,
            }
        }
    }

    /// Sends an event and the events that are ready after it, then flushes once.
    async fn batch(&mut self, first: Result<Step, Problem>) -> Result<(), CloseReason> {
        let (mut step, mut written) = (first, 0);
        loop {
            match step {
                Ok(Step::Event(bundle)) => {
                    for text in &bundle.frames {
                        bounded(&self.app, self.socket.feed(Message::Text(text.clone()))).await?;
                    }
                }
                Ok(Step::Resume(after)) => {
                    self.send(frame::resume(after)).await?;
                    return Err((CloseCode::Again, "too slow: resume"));
                }
                Err(_) => return Err((CloseCode::Error, "events could not be read")),
            }
            written += 1;
            // A step that was taken must be written, so none is taken beyond the batch.
            match if written < BATCH { self.watcher.next().now_or_never() } else { None } {
                Some(next) => step = next,
                None => break,
            }
        }
        bounded(&self.app, self.socket.flush()).await
    }

    async fn heartbeat(&mut self) -> Result<(), CloseReason> {
        if !self.app.callers.still_valid(&self.app.hub, &self.caller).await {
            return Err((CloseCode::Policy, "credential ended"));
        }
        let last = self.app.hub.last();
        match self.watcher.next().now_or_never() {
            Some(step) => self.batch(step).await,
            None => {
                self.watcher.mark_idle(last);
                self.send(frame::heartbeat(self.watcher.position(), self.app.hub.lag_ms())).await
            }
        }
    }

    async fn receive(&mut self, text: &str) -> Result<(), CloseReason> {
        match serde_json::from_str::<ClientMessage>(text) {
            Ok(ClientMessage::Subscribe { topic, after }) => match parse_topic(&topic) {
                Some(run) => match self.watcher.follow(run, after.map(Position)).await {
                    Ok(opening) => self.open(opening).await,
                    Err(problem) if problem.status() == StatusCode::NOT_FOUND => {
                        self.send(frame::error("unknown run")).await
                    }
                    Err(problem) if problem.status().is_client_error() => {
                        self.send(frame::error("too many topics")).await
                    }
                    Err(_) => Err((CloseCode::Error, "snapshot could not be read")),
                },
                None => self.send(frame::error("topic must be `runs` or `run:ID`")).await,
            },
            Ok(ClientMessage::Unsubscribe { topic }) => match parse_topic(&topic) {
                Some(run) => {
                    self.watcher.unfollow(run);
                    Ok(())
                }
                None => self.send(frame::error("topic must be `runs` or `run:ID`")).await,
            },
            Ok(ClientMessage::Ping) => self.heartbeat().await,
            Err(_) => self.send(frame::error("expected {type: subscribe | unsubscribe | ping, topic, after?}")).await,
        }
    }

    async fn open(&mut self, Opening { reset, snapshot }: Opening) -> Result<(), CloseReason> {
        if let Some(reset) = reset {
            self.send(reset).await?;
        }
        self.send(snapshot).await
    }

    async fn send(&mut self, text: Utf8Bytes) -> Result<(), CloseReason> {
        bounded(&self.app, self.socket.send(Message::Text(text))).await
    }
}

/// `runs` is all runs, `run:ID` one run.
fn parse_topic(topic: &str) -> Option<Option<RunId>> {
    match topic.strip_prefix("run:") {
        Some(id) => id.parse().ok().map(Some),
        None => (topic == "runs").then_some(None),
    }
}

fn protocol_error(error: &tokio_tungstenite::tungstenite::Error) -> CloseReason {
    use tokio_tungstenite::tungstenite::Error;
    match error {
        Error::Capacity(_) => (CloseCode::Size, "message too large"),
        _ => (CloseCode::Protocol, "protocol error"),
    }
}

/// Sends, unless the client reads nothing, or the process stops meanwhile.
async fn bounded<E>(app: &App, sending: impl Future<Output = Result<(), E>>) -> Result<(), CloseReason> {
    tokio::select! {
        sent = tokio::time::timeout(app.options.write_timeout, sending) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err((CloseCode::Away, "client disconnected")),
            Err(_) => Err((CloseCode::Again, "too slow: resume")),
        },
        () = app.stop.cancelled() => Err((CloseCode::Away, "server shutting down")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_runs_or_one_run() {
        let run = RunId::generate();
        assert_eq!(parse_topic("runs"), Some(None));
        assert_eq!(parse_topic(&format!("run:{run}")), Some(Some(run)));
        assert_eq!(parse_topic("run:x"), None);
        assert_eq!(parse_topic("jobs"), None);
    }

    #[test]
    fn client_messages_are_tagged() {
        let message: ClientMessage = serde_json::from_str(r#"{"type":"subscribe","topic":"runs","after":7}"#).unwrap();
        assert!(matches!(message, ClientMessage::Subscribe { after: Some(7), .. }));
        assert!(serde_json::from_str::<ClientMessage>(r#"{"type":"shout"}"#).is_err());
    }
}
