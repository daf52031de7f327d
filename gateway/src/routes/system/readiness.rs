//! `GET /readyz`: whether the dependencies of this process answer, and how far it lags.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{App, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, _request: Request) -> HandlerResult {
    let (status, body) = app.readiness.check().await;
    Ok(reply::json(status, &with_streams(body, &app)))
}

/// As `Readiness::state`, and `streams: {position, lagMs, topics}`.
pub async fn state(app: &App) -> Result<Value, Problem> {
    Ok(with_streams(app.readiness.state().await?, app))
}

/// Beside what is known of Postgres.
fn with_streams(mut body: Value, app: &App) -> Value {
    if body.get("head").is_some() {
        let hub = &app.hub;
        body["streams"] = json!({"position": hub.last(), "lagMs": hub.lag_ms(), "topics": hub.topics()});
    }
    body
}
