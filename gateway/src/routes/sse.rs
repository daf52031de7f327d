//! GET /api/stream?runId&after: the frames of the streams as server-sent events; the id of each is its position.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::FutureExt;
use luci_schema::{Position, RunId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use warp::{Reply, sse::Event};

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    live::{Step, Watcher, frame},
    problem::Problem,
};

/// Frames between the watcher and the socket.
const AHEAD: usize = 32;
/// A client that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a browser waits before it comes again.
const RETRY: Duration = Duration::from_secs(1);

type Outlet = mpsc::Sender<Result<Event, Infallible>>;

pub async fn open(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: Option<RunId> = ask.query_as("runId")?;
    let after = after(&ask)?;
    let mut watcher = Watcher::new(Arc::clone(&app), caller.tenant);
    let snapshot = watcher.follow(run, after).await?;
    let (outlet, events) = mpsc::channel(AHEAD);
    // The snapshot has no id: a browser that comes again names the last event it saw.
    let first = Event::default().retry(RETRY).data(snapshot.as_str());
    if outlet.try_send(Ok(first)).is_err() {
        return Err(Problem::internal(&"a fresh channel was full"));
    }
    let connection = ask.connection.clone();
    app.streams.spawn({
        let app = Arc::clone(&app);
        async move {
            feed(&app, &caller, watcher, &outlet).await;
            drop(connection);
        }
    });
    Ok(warp::sse::reply(ReceiverStream::new(events)).into_response())
}

/// `Last-Event-ID` of a browser that comes again is newer than the `after` of its address.
fn after(ask: &Ask) -> Result<Option<Position>, Problem> {
    let text =
        ask.header("last-event-id").filter(|id| !id.is_empty()).map(str::to_owned).or_else(|| ask.query("after"));
    text.map(|text| text.parse().map(Position).map_err(|_| Problem::invalid("after", "a position"))).transpose()
}

async fn feed(app: &Arc<App>, caller: &Caller, mut watcher: Watcher, outlet: &Outlet) {
    let mut beat = tokio::time::interval(app.options.heartbeat);
    beat.reset();
    loop {
        let sent = tokio::select! {
            biased;
            () = app.stop.cancelled() => return,
            () = outlet.closed() => return,
            step = watcher.next() => step_out(step, outlet).await,
            _ = beat.tick() => {
                if app.hub.revoked(caller.key) {
                    return;
                }
                let last = app.hub.last();
                match watcher.next().now_or_never() {
                    Some(step) => step_out(step, outlet).await,
                    None => {
                        watcher.settle(last);
                        let text = frame::heartbeat(watcher.stands_at(), app.hub.lag_ms());
                        put(outlet, Event::default().data(text.as_str())).await
                    }
                }
            }
        };
        if !sent {
            return;
        }
    }
}

/// Sends what happened; false when the stream ends.
async fn step_out(step: Result<Step, Problem>, outlet: &Outlet) -> bool {
    match step {
        Ok(Step::Event(bundle)) => {
            let last = bundle.frames.len().saturating_sub(1);
            for (index, text) in bundle.frames.iter().enumerate() {
                let event = Event::default().data(text.as_str());
                // Only the last frame of an event has its id: cut before it, the event comes again as a whole.
                let event = match bundle.position {
                    Some(position) if index == last => event.id(position.to_string()),
                    _ => event,
                };
                if !put(outlet, event).await {
                    return false;
                }
            }
            true
        }
        Ok(Step::Resume(after)) => {
            put(outlet, Event::default().data(frame::resume(after).as_str())).await;
            false
        }
        Err(problem) => {
            tracing::debug!(status = problem.status().as_u16(), "a stream ended");
            false
        }
    }
}

async fn put(outlet: &Outlet, event: Event) -> bool {
    matches!(tokio::time::timeout(PATIENCE, outlet.send(Ok(event))).await, Ok(Ok(())))
}
