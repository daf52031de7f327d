//! `DELETE /api/providers/{provider}`: removes the credential of the tenant.

use std::sync::Arc;

use luci_providers::{ProviderName, credentials};
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

/// From then on the credential of the installation is used, if there is one.
pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let provider: ProviderName = request.id(0, "provider")?;
    let command = idempotency::check(&app, &caller, &request, [0; 32]).await?;
    let outcome = json!({"provider": provider, "configured": app.own_providers.contains(&provider)});
    let (by, receipt) = (command.by(&caller), command.receipt([0; 32], &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let removed = credentials::remove(&mut tx, caller.tenant, &app.log, provider, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, removed.unwrap_or_else(|| app.log.head())))
}
