//! `GET /api/suppressions`: the suppressions of the tenant.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::suppressions;
use serde_json::json;

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

/// Ordered by kind and value; the cursor is the last entry of the page, `kind:value`.
pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(100, 500)?;
    let cursor = request.query("cursor");
    let after =
        cursor.as_deref().map(|text| text.split_once(':').ok_or_else(|| Problem::invalid("cursor", "kind:value")));
    let mut c = app.engine_pool.acquire().await?;
    let mut found = suppressions::list(&mut c, caller.tenant, after.transpose()?, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| format!("{}:{}", last.kind, last.value));
    Ok(reply::json(StatusCode::OK, &json!({"suppressions": found, "hasMore": more, "nextCursor": next})))
}
