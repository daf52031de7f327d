//! `GET /readyz`: whether the dependencies of this process answer, and how far it lags.

use std::{sync::Arc, time::Duration};

use async_nats::connection::State;
use http::StatusCode;
use luci_schema::log::{blocking_session, followers, halted};
use luci_storage::StoreFault;
use serde_json::{Value, json};

use crate::{App, problem::Problem, reply, request::Request, routes::HandlerResult};

/// A dependency that takes longer is not ready.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The store's state is at most this old.
const STORE_CHECK_AGE: Duration = Duration::from_millis(500);

/// 200 when Postgres responds and the object store can be used. A broker that is down is reported and does not make the
/// process unready: commands work without it.
pub async fn handle(app: Arc<App>, _request: Request) -> HandlerResult {
    let checked = tokio::time::timeout(CHECK_TIMEOUT, state(&app)).await;
    let (status, body) = match checked {
        Ok(Ok(body)) if !app.stop.is_cancelled() && body["store"] != "up" => {
            (StatusCode::SERVICE_UNAVAILABLE, unready(body))
        }
        Ok(Ok(body)) if body["status"] == "unready" => (StatusCode::SERVICE_UNAVAILABLE, body),
        Ok(Ok(body)) if !app.stop.is_cancelled() => (StatusCode::OK, body),
        Ok(Ok(_)) => (StatusCode::SERVICE_UNAVAILABLE, json!({"status": "stopping"})),
        Ok(Err(_)) | Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, json!({"status": "unready", "postgres": "down", "nats": nats(&app)}))
        }
    };
    Ok(reply::json(status, &body))
}

fn unready(mut body: Value) -> Value {
    body["status"] = "unready".into();
    body
}

/// `up`, or why the object store cannot be used: `missing`, `foreign`, `read_only`, `full`, `unreachable`.
async fn store(app: &App) -> &'static str {
    app.storage.health(STORE_CHECK_AGE).await.err().map_or("up", StoreFault::as_str)
}

/// `status` is `ready`, `degraded` when a role or a follower failed and has not recovered, or `unready`:
/// `{status, postgres, nats, store, head, halted, streams: {position, lagMs}, followers: [{name, position, behind, held, failing}], troubles}`
pub async fn state(app: &App) -> Result<Value, Problem> {
    let store = store(app).await;
    let mut c = app.engine_pool.acquire().await?;
    let followers = followers(&mut c).await?;
    let (blocked, halted) = (blocking_session(&mut c).await?, halted(&mut c).await?);
    drop(c);
    let head = app.log.head();
    let followers: Vec<Value> = followers
        .into_iter()
        .map(|f| {
            json!({"name": f.name, "position": f.position, "behind": head.0.saturating_sub(f.position.0),
                "held": f.held, "failing": f.last_error.is_some()})
        })
        .collect();
    // Who it is stays in the server's log: the names are the database's.
    let stuck = followers.iter().any(|follower| follower["failing"] == true) || !degraded_roles(app).is_empty();
    let status = match (&blocked, &halted, stuck) {
        (Some(_), _, _) | (_, Some(_), _) => "unready",
        // It serves callers: taking it out of service would help nobody.
        (None, None, true) => "degraded",
        (None, None, false) => "ready",
    };
    let postgres =
        blocked.map_or_else(|| "up".to_owned(), |s| format!("blocked by session {} for {} s", s.pid, s.seconds));
    Ok(json!({"status": status, "postgres": postgres, "nats": nats(app), "store": store, "head": head,
        "halted": halted,
        "streams": {"position": app.hub.last(), "lagMs": app.hub.lag_ms(), "topics": app.hub.topics()},
        "followers": followers, "troubles": degraded_roles(app)}))
}

/// Roles of this process that wait for their restart. The errors are in the server log only: they may contain addresses.
fn degraded_roles(app: &App) -> Vec<&'static str> {
    app.degraded_roles.borrow().iter().map(|(role, _)| *role).collect()
}

fn nats(app: &App) -> &'static str {
    match app.nats.as_ref().map(async_nats::Client::connection_state) {
        Some(State::Connected) => "up",
        Some(_) => "down",
        None => "none",
    }
}
