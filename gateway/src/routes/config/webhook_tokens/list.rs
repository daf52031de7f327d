//! `GET /api/webhook-tokens`: the webhook tokens of the tenant, without their secrets.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::store::webhook_tokens;
use serde_json::json;

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    let mut c = app.engine_pool.acquire().await?;
    let tokens = webhook_tokens::list(&mut c, caller.tenant).await?;
    Ok(reply::json(StatusCode::OK, &json!({"tokens": tokens})))
}
