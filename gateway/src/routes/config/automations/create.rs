//! `POST /api/automations`: creates an automation, disabled.

use std::sync::Arc;

use luci_config::automations;
use luci_leads::commands::sectors;
use luci_schema::AutomationId;
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    idempotency,
    request::Request,
    routes::{HandlerResult, config::automations::definition::spec},
};

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (spec, digest) = spec(&app, &caller, &mut request).await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = |id: AutomationId| idempotency::created(json!({"automationId": id, "status": "disabled"}));
    let by = command.by(&caller);
    let mut tx = app.engine_pool.begin().await?;
    let receipt = |id| command.receipt(digest, &outcome(id));
    let (id, position) =
        automations::create(&mut tx, caller.tenant, &app.log, (spec, sectors::exists), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(id), position))
}
