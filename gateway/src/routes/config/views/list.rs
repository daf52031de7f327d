//! `GET /api/views`: the caller's saved views, and those that others of the tenant share.

use std::sync::Arc;

use http::StatusCode;
use luci_config::views;
use serde_json::json;

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    let mut c = app.engine_pool.acquire().await?;
    let views = views::list(&mut c, caller.tenant, caller.key).await?;
    Ok(reply::json(StatusCode::OK, &json!({"views": views})))
}
