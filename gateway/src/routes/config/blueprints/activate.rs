//! `POST /api/blueprints/{blueprintId}/activate`: makes a version the one that new runs use.

use std::sync::Arc;

use luci_config::blueprints;
use luci_schema::BlueprintId;
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ActivateBody {
    version: u32,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let id: BlueprintId = request.id(0, "blueprint")?;
    require(&app, &caller, id).await?;
    let (body, digest) = request.json::<ActivateBody>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"blueprintId": id, "version": body.version, "status": "active"});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let at = blueprints::activate(&mut tx, caller.tenant, &app.log, (id, body.version), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at.unwrap_or_else(|| app.log.head())))
}

/// 404 before the body is read, so that another tenant gets no other response.
async fn require(app: &App, caller: &Caller, id: BlueprintId) -> Result<(), Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let found = blueprints::newest(&mut c, caller.tenant, id).await?;
    found.map(drop).ok_or_else(|| Problem::not_found("blueprint"))
}
