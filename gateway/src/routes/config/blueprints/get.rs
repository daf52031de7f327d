//! `GET /api/blueprints/{blueprintId}`: every version of a blueprint, newest first.

use std::sync::Arc;

use http::StatusCode;
use luci_config::blueprints;
use luci_schema::BlueprintId;
use serde_json::json;

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: BlueprintId = request.id(0, "blueprint")?;
    let mut c = app.engine_pool.acquire().await?;
    let versions = blueprints::versions(&mut c, caller.tenant, id).await?;
    if versions.is_empty() {
        return Err(Problem::not_found("blueprint").into());
    }
    Ok(reply::json(StatusCode::OK, &json!({"versions": versions})))
}
