//! `GET /api/templates`: the templates of the tenant.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::store::templates;
use serde_json::json;

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    let mut c = app.engine_pool.acquire().await?;
    let templates = templates::list(&mut c, caller.tenant).await?;
    Ok(reply::json(StatusCode::OK, &json!({"templates": templates})))
}
