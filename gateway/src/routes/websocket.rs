//! GET /ws/pipelines: the frames of the streams over a WebSocket, with topics that come and go.
//!
//! The upgrade is our own: warp's WebSocket fills a read buffer of 128 KiB a socket, 640 MB for 5,000 watchers.

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
use warp::reply::Response;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    live::{Step, Watcher, frame},
    problem::Problem,
    serve::Connection,
};

/// Bytes that a client's message may have.
const MESSAGE: usize = 16 << 10;
/// Bytes of a socket's buffers: watchers say little.
const READ_BUFFER: usize = 2 << 10;
const WRITE_BUFFER: usize = 16 << 10;
/// A client that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Events that are written before the socket is flushed.
const BATCH: usize = 128;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What a client may say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Said {
    Subscribe { topic: String, after: Option<u64> },
    Unsubscribe { topic: String },
    Ping,
}

pub async fn open(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let run: Option<RunId> = ask.query_as("runId")?;
    let after = ask.query_as::<u64>("after")?.map(Position);
    let (key, upgrade) = handshake(&mut ask)?;
    // Before the upgrade, so that a run that is not there is a 404 and no closed socket.
    let mut watcher = Watcher::new(Arc::clone(&app), caller.tenant);
    let snapshot = watcher.follow(run, after).await?;
    let connection = ask.connection.clone();
    app.streams.spawn({
        let app = Arc::clone(&app);
        async move {
            if let Ok(upgraded) = upgrade.await {
                let socket =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config())).await;
                Watching { app, caller, watcher, socket, _connection: connection }.run(snapshot).await;
            }
        }
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
        // The snapshot is one message: larger than a batch of events.
        .max_write_buffer_size(64 << 20)
        .max_message_size(Some(MESSAGE))
        .max_frame_size(Some(MESSAGE))
}

/// The client's key, and the connection as it will be.
fn handshake(ask: &mut Ask) -> Result<(String, OnUpgrade), Problem> {
    let says = |name: &str, word: &str| {
        ask.header(name).is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    let asked = says("connection", "upgrade") && says("upgrade", "websocket") && says("sec-websocket-version", "13");
    let key = ask.header("sec-websocket-key").map(str::to_owned);
    match (asked, key, ask.upgrade.take()) {
        (true, Some(key), Some(upgrade)) => Ok((key, upgrade)),
        _ => Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "websocket", "A WebSocket is needed")
            .detail("Use /api/stream for server-sent events.")
            .header(header::UPGRADE, "websocket")),
    }
}

/// One open socket.
struct Watching {
    app: Arc<App>,
    caller: Caller,
    watcher: Watcher,
    socket: Socket,
    /// Keeps the place among the gateway's connections.
    _connection: Option<Connection>,
}

/// Why a socket is closed from our side.
type End = (CloseCode, &'static str);

impl Watching {
    async fn run(mut self, snapshot: Utf8Bytes) {
        if let Err((code, reason)) = self.watch(snapshot).await {
            let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
            let _ = tokio::time::timeout(Duration::from_secs(1), self.socket.send(close)).await;
        }
    }

    async fn watch(&mut self, snapshot: Utf8Bytes) -> Result<(), End> {
        self.send(snapshot).await?;
        let mut beat = tokio::time::interval(self.app.options.heartbeat);
        beat.reset();
        loop {
            tokio::select! {
                biased;
                () = self.app.stop.cancelled() => return Err((CloseCode::Away, "the server stops")),
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.hear(&text).await?,
                    Some(Ok(Message::Binary(_))) => return Err((CloseCode::Unsupported, "text only")),
                    Some(Ok(Message::Close(_))) | None => return Ok(()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(broken(&error)),
                },
                step = self.watcher.next() => self.batch(step).await?,
                _ = beat.tick() => self.beat().await?,
            }
        }
    }

    /// Sends an event and whatever else is ready, then flushes once.
    async fn batch(&mut self, first: Result<Step, Problem>) -> Result<(), End> {
        let (mut step, mut written) = (first, 0);
        loop {
            match step {
                Ok(Step::Event(bundle)) => {
                    for text in &bundle.frames {
                        within(self.socket.feed(Message::Text(text.clone()))).await?;
                    }
                }
                Ok(Step::Resume(after)) => {
                    self.send(frame::resume(after)).await?;
                    return Err((CloseCode::Again, "too slow: resume"));
                }
                Err(_) => return Err((CloseCode::Error, "the history could not be read")),
            }
            written += 1;
            // A step that was taken must be written: none is taken beyond the batch.
            match if written < BATCH { self.watcher.next().now_or_never() } else { None } {
                Some(next) => step = next,
                None => break,
            }
        }
        within(self.socket.flush()).await
    }

    async fn beat(&mut self) -> Result<(), End> {
        if self.app.hub.revoked(self.caller.key) {
            return Err((CloseCode::Policy, "the key was revoked"));
        }
        let last = self.app.hub.last();
        match self.watcher.next().now_or_never() {
            Some(step) => self.batch(step).await,
            None => {
                self.watcher.settle(last);
                self.send(frame::heartbeat(self.watcher.stands_at(), self.app.hub.lag_ms())).await
            }
        }
    }

    async fn hear(&mut self, text: &str) -> Result<(), End> {
        match serde_json::from_str::<Said>(text) {
            Ok(Said::Subscribe { topic, after }) => match read_topic(&topic) {
                Some(run) => match self.watcher.follow(run, after.map(Position)).await {
                    Ok(snapshot) => self.send(snapshot).await,
                    Err(problem) if problem.status() == StatusCode::NOT_FOUND => {
                        self.send(frame::refused("there is no such run")).await
                    }
                    Err(problem) if problem.status().is_client_error() => {
                        self.send(frame::refused("too many topics")).await
                    }
                    Err(_) => Err((CloseCode::Error, "the snapshot could not be read")),
                },
                None => self.send(frame::refused("topic is `runs` or `run:ID`")).await,
            },
            Ok(Said::Unsubscribe { topic }) => match read_topic(&topic) {
                Some(run) => {
                    self.watcher.unfollow(run);
                    Ok(())
                }
                None => self.send(frame::refused("topic is `runs` or `run:ID`")).await,
            },
            Ok(Said::Ping) => self.beat().await,
            Err(_) => self.send(frame::refused("say {type: subscribe | unsubscribe, topic, after?}")).await,
        }
    }

    async fn send(&mut self, text: Utf8Bytes) -> Result<(), End> {
        within(self.socket.send(Message::Text(text))).await
    }
}

/// `runs` is all runs, `run:ID` one.
fn read_topic(topic: &str) -> Option<Option<RunId>> {
    match topic.strip_prefix("run:") {
        Some(id) => id.parse().ok().map(Some),
        None => (topic == "runs").then_some(None),
    }
}

fn broken(error: &tokio_tungstenite::tungstenite::Error) -> End {
    use tokio_tungstenite::tungstenite::Error;
    match error {
        Error::Capacity(_) => (CloseCode::Size, "the message is too large"),
        _ => (CloseCode::Protocol, "not a WebSocket any more"),
    }
}

async fn within<E>(sending: impl Future<Output = Result<(), E>>) -> Result<(), End> {
    match tokio::time::timeout(PATIENCE, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err((CloseCode::Away, "the client is gone")),
        Err(_) => Err((CloseCode::Again, "too slow: resume")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_runs_or_one_run() {
        let run = RunId::generate();
        assert_eq!(read_topic("runs"), Some(None));
        assert_eq!(read_topic(&format!("run:{run}")), Some(Some(run)));
        assert_eq!(read_topic("run:x"), None);
        assert_eq!(read_topic("jobs"), None);
    }

    #[test]
    fn what_clients_say() {
        let said: Said = serde_json::from_str(r#"{"type":"subscribe","topic":"runs","after":7}"#).unwrap();
        assert!(matches!(said, Said::Subscribe { after: Some(7), .. }));
        assert!(serde_json::from_str::<Said>(r#"{"type":"shout"}"#).is_err());
    }
}
