//! `DELETE /api/views/{viewId}`: removes a view of the caller; an admin may also remove one that another person shares.

use std::sync::Arc;

use luci_config::{Right, tenants, views};
use luci_schema::ViewId;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: ViewId = request.id(0, "view")?;
    let command = idempotency::check(&app, &caller, &request, [0; 32]).await?;
    let outcome = json!({"viewId": id, "status": "removed"});
    let (by, receipt) = (command.by(&caller), command.receipt([0; 32], &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let any = caller.role.may(Right::Administer);
    if !views::remove(&mut tx, caller.tenant, caller.key, id, any).await? {
        return Err(Problem::not_found("view").into());
    }
    let position = tenants::store_receipt(&mut tx, caller.tenant, &app.log, &by, receipt).await?;
    tx.commit().await?;
    Ok(idempotency::accepted(&outcome, position))
}
