//! `GET /api/keys`: the keys of the tenant, without their secrets.

use std::sync::Arc;

use http::StatusCode;
use luci_config::keys;
use serde_json::json;

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    let mut c = app.engine_pool.acquire().await?;
    let keys = keys::list(&mut c, caller.tenant).await?;
    Ok(reply::json(StatusCode::OK, &json!({"keys": keys})))
}
