//! `GET /api/erasures`: the erasures of the tenant, newest first. Who was erased is not among what is kept.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::ErasureId;
use luci_stages::erasure::table;
use serde_json::json;

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(50, 200)?;
    let before = request.query_as::<ErasureId>("cursor")?;
    let mut c = app.engine_pool.acquire().await?;
    let mut found = table::list(&mut c, caller.tenant, before, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|erasure| erasure.erasure_id);
    Ok(reply::json(StatusCode::OK, &json!({"erasures": found, "hasMore": more, "nextCursor": next})))
}
