//! `GET /api/blueprints`: the blueprints of the tenant.

use std::sync::Arc;

use http::StatusCode;
use luci_config::blueprints;
use serde_json::json;

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    let mut c = app.engine_pool.acquire().await?;
    let blueprints = blueprints::list(&mut c, caller.tenant).await?;
    Ok(reply::json(StatusCode::OK, &json!({"blueprints": blueprints})))
}
