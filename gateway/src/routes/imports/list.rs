//! `GET /api/imports`: the imports of the tenant, newest first.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::imports;
use luci_schema::ImportId;
use serde_json::{Value, json};

use crate::{
    App,
    caller::Caller,
    reply,
    request::Request,
    routes::{HandlerResult, imports::get},
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(50, 200)?;
    let before = request.query_as::<ImportId>("cursor")?;
    let mut c = app.engine_pool.acquire().await?;
    let mut found = imports::list(&mut c, caller.tenant, before, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|import| import.id);
    let imports: Vec<Value> = found.iter().map(get::view).collect();
    Ok(reply::json(StatusCode::OK, &json!({"imports": imports, "hasMore": more, "nextCursor": next})))
}
