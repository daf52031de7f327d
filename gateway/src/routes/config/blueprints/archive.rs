//! `DELETE /api/blueprints/{blueprintId}`: archives a blueprint. Idempotent.

use std::sync::Arc;

use luci_config::blueprints;
use luci_schema::BlueprintId;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: BlueprintId = request.id(0, "blueprint")?;
    let command = idempotency::check(&app, &caller, &request, [0; 32]).await?;
    let outcome = json!({"blueprintId": id, "status": "archived"});
    let (by, receipt) = (command.by(&caller), command.receipt([0; 32], &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let at = blueprints::archive(&mut tx, caller.tenant, &app.log, id, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at.unwrap_or_else(|| app.log.head())))
}
