//! `GET /api/retention`: the days of each domain; a domain without days is kept for ever.

use std::{collections::BTreeMap, sync::Arc};

use http::StatusCode;
use luci_stages::retention::{DOMAINS, table};
use serde_json::json;

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    let mut c = app.engine_pool.acquire().await?;
    let days = table::of(&mut c, caller.tenant).await?;
    let suggested: BTreeMap<&str, u32> = DOMAINS.into_iter().collect();
    Ok(reply::json(StatusCode::OK, &json!({"days": days, "suggested": suggested})))
}
