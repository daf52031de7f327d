//! `GET /api/scoring-profiles`: the scoring profiles of the tenant.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::scoring_profiles;
use luci_schema::migrate::tenant_tx;
use serde_json::json;

use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let profiles = scoring_profiles::list(&mut tx, caller.tenant).await?;
    Ok(reply::json(StatusCode::OK, &json!({"profiles": profiles})))
}
