//! `GET /api/audit`: who changed what in the tenant's configuration, newest first. Events of runs are left out: each run has
//! its own history.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{Event, Position};
use serde_json::{Value, json};

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

/// Events read from the log at once.
const PAGE: u64 = 500;
/// Positions searched for one response, at most: a quiet tenant's page ends early and says where.
const MAX_SEARCHED: u64 = 20_000;

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(50, 200)? as usize;
    let head = app.log.head().0;
    let before = request.query_as::<u64>("cursor")?.unwrap_or(u64::MAX).min(head + 1);
    let oldest = before.saturating_sub(MAX_SEARCHED).max(1);
    let (mut events, mut next) = (Vec::new(), before);
    while next > oldest && events.len() < limit {
        let from = next.saturating_sub(PAGE).max(oldest);
        let page = app.log.read(Position(from - 1), usize::try_from(next - from).unwrap_or(0)).await?;
        for event in page.iter().rev() {
            if events.len() == limit {
                break;
            }
            next = event.position.0;
            if event.tenant_id == caller.tenant && matches!(event.event, Event::Config(_)) {
                let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
                events.push(json!({"position": event.position, "streamId": event.stream_id, "version": event.version,
                    "type": event.event_type, "actor": event.actor, "at": event.recorded_at.rfc3339(), "data": data}));
            }
        }
        if events.len() < limit {
            next = from;
        }
    }
    let body = json!({"events": events, "hasMore": next > 1, "nextCursor": (next > 1).then(|| next.to_string()),
        "position": head});
    Ok(reply::json(StatusCode::OK, &body))
}
