//! `GET /api/session`: the caller and its tenant.

use std::sync::Arc;

use http::StatusCode;
use luci_config::tenants;
use serde_json::{Value, json};

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    Ok(reply::json(StatusCode::OK, &view(&app, &caller).await?))
}

pub async fn view(app: &App, caller: &Caller) -> Result<Value, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let tenant = tenants::get(&mut c, caller.tenant).await?;
    Ok(json!({"tenantId": caller.tenant, "tenantName": tenant.name, "actorId": caller.actor, "keyId": caller.key,
        "role": caller.role, "activeRuns": tenant.active_runs, "sandbox": app.options.sandbox}))
}
