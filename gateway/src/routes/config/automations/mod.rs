//! Routes of automations, which start runs by themselves.

pub mod create;
pub mod definition;
pub mod disable;
pub mod enable;
pub mod get;
pub mod list;
pub mod remove;
pub mod test;
pub mod update;

use std::sync::Arc;

use luci_config::automations::{self, AutomationChange};
use luci_leads::commands::sectors;
use luci_schema::{AutomationId, Hash};
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

/// The automation of the path, or 404.
pub async fn find(app: &App, caller: &Caller, request: &Request) -> Result<automations::Automation, Problem> {
    let id: AutomationId = request.id(0, "automation")?;
    let mut c = app.engine_pool.acquire().await?;
    automations::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("automation"))
}

/// Executes a command on the automation of the path.
pub async fn change(
    app: Arc<App>,
    caller: Caller,
    request: Request,
    change: AutomationChange,
    status: &str,
    digest: Hash,
) -> HandlerResult {
    let id: AutomationId = request.id(0, "automation")?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"automationId": id, "status": status});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let at = automations::change(&mut tx, caller.tenant, &app.log, (id, change, sectors::exists), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at.unwrap_or_else(|| app.log.head())))
}
