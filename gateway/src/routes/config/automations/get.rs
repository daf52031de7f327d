//! `GET /api/automations/{automationId}`: an automation with its newest events.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::Version;
use serde_json::{Value, json};

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

/// Events in the response.
const RECENT_EVENTS: usize = 20;

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let automation = super::find(&app, &caller, &request).await?;
    let stream = automation.automation_id.into();
    let head = app.log.stream_head(caller.tenant, stream).await?.map_or(0, |(version, _)| version.0);
    let after = Version(head.saturating_sub(RECENT_EVENTS as u64));
    let events = app.log.read_stream(caller.tenant, stream, after, RECENT_EVENTS).await?;
    let recent: Vec<Value> = events
        .iter()
        .rev()
        .map(|event| {
            let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
            json!({"type": event.event_type, "at": event.recorded_at.rfc3339(), "actor": event.actor, "data": data})
        })
        .collect();
    Ok(reply::json(StatusCode::OK, &json!({"automation": automation, "recent": recent})))
}
