//! `GET /api/sectors`: the sectors of the tenant by slug.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::sectors as store;
use luci_schema::migrate::tenant_tx;
use serde_json::{Value, json};

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

/// `state` is two letters, or `US` for nationwide sectors.
pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(200, 500)?;
    let (state, after) = (request.query("state").map(|state| state.to_ascii_uppercase()), request.query("cursor"));
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let mut found = store::page(&mut tx, caller.tenant, state.as_deref(), after.as_deref(), limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|sector| sector.slug.clone());
    let sectors: Vec<Value> = found.iter().map(super::view).collect();
    Ok(reply::json(StatusCode::OK, &json!({"sectors": sectors, "hasMore": more, "nextCursor": next})))
}
