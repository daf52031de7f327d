//! `GET /api/sending`: the send settings and sender numbers of the tenant.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::store::send_settings;
use serde_json::json;

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    let mut c = app.engine_pool.acquire().await?;
    let settings = send_settings::settings(&mut c, caller.tenant).await?;
    let numbers = luci_messaging::store::sender_numbers::list(&mut c, caller.tenant).await?;
    Ok(reply::json(StatusCode::OK, &json!({"settings": settings, "numbers": numbers})))
}
