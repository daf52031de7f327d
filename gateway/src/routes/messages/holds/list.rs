//! `GET /api/holds`: messages that wait for a person's decision.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::store::number_holds;
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    reply,
    request::{Request, parse_field},
    routes::HandlerResult,
};

/// Newest first; the cursor is the last webhook id of the page.
pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(100, 500)?;
    let before = request.query("cursor").map(|text| parse_field("cursor", &text)).transpose()?;
    let mut c = app.engine_pool.acquire().await?;
    let mut found = number_holds::list(&mut c, caller.tenant, before, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| last.webhook_id);
    Ok(reply::json(StatusCode::OK, &json!({"holds": found, "hasMore": more, "nextCursor": next})))
}
