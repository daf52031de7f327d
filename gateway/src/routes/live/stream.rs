//! `GET /api/stream?runId&after`: the frames as server-sent events; the id of an event is its position.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::FutureExt;
use http::HeaderValue;
use luci_schema::{Position, RunId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;
use warp::{Reply, sse::Event};

use crate::{
    App,
    caller::Caller,
    live::{Opening, Step, Watcher, frame},
    problem::Problem,
    request::Request,
    routes::HandlerResult,
};

/// Frames buffered between the watcher and the socket.
const BUFFERED_FRAMES: usize = 32;

/// How long a browser waits before it reconnects.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

type EventSender = mpsc::Sender<Result<Event, Infallible>>;

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: Option<RunId> = request.query_as("runId")?;
    let after = after(&request)?;
    let mut watcher = Watcher::new(Arc::clone(&app), caller.tenant);
    let Opening { reset, snapshot } = watcher.follow(run, after).await?;
    let (sender, events) = mpsc::channel(BUFFERED_FRAMES);
    // These frames have no id: a browser that reconnects sends the id of the last event it received.
    for frame in reset.iter().chain([&snapshot]) {
        let event = Event::default().retry(RECONNECT_DELAY).data(frame.as_str());
        if sender.try_send(Ok(event)).is_err() {
            return Err(Problem::internal(&"new channel is full").into());
        }
    }
    let connection = request.connection.clone();
    app.streams.spawn({
        let app = Arc::clone(&app);
        async move {
            feed(&app, &caller, watcher, &sender).await;
            drop(connection);
        }
        .in_current_span()
    });
    let mut response = warp::sse::reply(ReceiverStream::new(events)).into_response();
    // nginx and others would hold events back until their buffer is full.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// After a reconnect, `Last-Event-ID` is newer than the `after` of the URL. One that is not a position is ignored: an error
/// would stop a browser's EventSource for good, the snapshot puts it right.
fn after(request: &Request) -> Result<Option<Position>, Problem> {
    let last = request.header("last-event-id").and_then(|id| id.trim().parse().ok()).map(Position);
    if last.is_some() || request.headers.contains_key("last-event-id") {
        return Ok(last);
    }
    let after = request.query("after");
    after.map(|text| text.parse().map(Position).map_err(|_| Problem::invalid("after", "a position"))).transpose()
}

async fn feed(app: &Arc<App>, caller: &Caller, mut watcher: Watcher, sender: &EventSender) {
    let mut heartbeat = tokio::time::interval(app.options.heartbeat);
    heartbeat.reset();
    loop {
        let sent = tokio::select! {
            biased;
            () = app.stop.cancelled() => return,
            () = sender.closed() => return,
            step = watcher.next() => send_step(app, step, sender).await,
            _ = heartbeat.tick() => {
                if !app.callers.still_valid(&app.hub, caller).await {
                    return;
                }
                let last = app.hub.last();
                match watcher.next().now_or_never() {
                    Some(step) => send_step(app, step, sender).await,
                    None => {
                        watcher.mark_idle(last);
                        let position = watcher.position();
                        let text = frame::heartbeat(position, app.hub.lag_ms());
                        // Every event up to here was sent: a client that reconnects need not read them again.
                        send(app, sender, Event::default().id(position.to_string()).data(text.as_str())).await
                    }
                }
            }
        };
        if !sent {
            return;
        }
    }
}

/// Sends a step; false when the stream ends.
async fn send_step(app: &App, step: Result<Step, Problem>, sender: &EventSender) -> bool {
    match step {
        Ok(Step::Event(bundle)) => {
            let last = bundle.frames.len().saturating_sub(1);
            for (index, text) in bundle.frames.iter().enumerate() {
                let event = Event::default().data(text.as_str());
                // Only the last frame of an event has the id: after a disconnect in between, the whole event is sent again.
                let event = match bundle.position {
                    Some(position) if index == last => event.id(position.to_string()),
                    _ => event,
                };
                if !send(app, sender, event).await {
                    return false;
                }
            }
            true
        }
        Ok(Step::Resume(after)) => {
            send(app, sender, Event::default().data(frame::resume(after).as_str())).await;
            false
        }
        Err(problem) => {
            tracing::debug!(status = problem.status().as_u16(), "stream ended");
            false
        }
    }
}

/// False when the client reads nothing, when it is gone, and when the process stops.
async fn send(app: &App, sender: &EventSender, event: Event) -> bool {
    tokio::select! {
        sent = tokio::time::timeout(app.options.write_timeout, sender.send(Ok(event))) => matches!(sent, Ok(Ok(()))),
        () = app.stop.cancelled() => false,
    }
}
