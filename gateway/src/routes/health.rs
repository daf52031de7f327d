//! /healthz: this process answers. /readyz: what it depends on does, and how far behind it is.

use std::{sync::Arc, time::Duration};

use async_nats::connection::State;
use http::StatusCode;
use luci_schema::log::followers;
use serde_json::{Value, json};

use super::Answer;
use crate::{App, ask::Ask, problem::Problem, serve};

/// A dependency that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

pub async fn alive(_app: Arc<App>, _ask: Ask) -> Answer {
    Ok(serve::json(StatusCode::OK, &json!({"status": "ok"})))
}

/// 200 when Postgres answers; a broker that is down is said, and makes nothing unready: commands go on without it.
pub async fn ready(app: Arc<App>, _ask: Ask) -> Answer {
    let checked = tokio::time::timeout(PATIENCE, state(&app)).await;
    let (status, body) = match checked {
        Ok(Ok(body)) if !app.stop.is_cancelled() => (StatusCode::OK, body),
        Ok(Ok(_)) => (StatusCode::SERVICE_UNAVAILABLE, json!({"status": "stopping"})),
        Ok(Err(_)) | Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, json!({"status": "unready", "postgres": "down", "nats": nats(&app)}))
        }
    };
    Ok(serve::json(status, &body))
}

/// `{status, postgres, nats, head, streams: {position, lagMs}, followers: [{name, position, behind, held, failing}], troubles}`
pub async fn state(app: &App) -> Result<Value, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let followers = followers(&mut c).await?;
    let head = app.log.head();
    let followers: Vec<Value> = followers
        .into_iter()
        .map(|f| {
            json!({"name": f.name, "position": f.position, "behind": head.0.saturating_sub(f.position.0),
                "held": f.held, "failing": f.last_error.is_some()})
        })
        .collect();
    Ok(json!({"status": "ready", "postgres": "up", "nats": nats(app), "head": head,
        "streams": {"position": app.hub.last(), "lagMs": app.hub.lag_ms(), "topics": app.hub.topics()},
        "followers": followers, "troubles": troubles(app)}))
}

/// Roles of this process that are to be begun again. The reasons are in the log: they may name addresses.
fn troubles(app: &App) -> Vec<&'static str> {
    app.troubles.borrow().iter().map(|(role, _)| *role).collect()
}

fn nats(app: &App) -> &'static str {
    match app.nats.as_ref().map(async_nats::Client::connection_state) {
        Some(State::Connected) => "up",
        Some(_) => "down",
        None => "none",
    }
}
