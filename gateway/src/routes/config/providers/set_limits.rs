//! `PUT /api/providers/{provider}/limits`: sets the limits of the tenant at a provider.

use std::sync::Arc;

use luci_providers::{OwnLimits, ProviderName, limits};
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

/// Replaces the limits. A null is no limit of the tenant.
pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let provider: ProviderName = request.id(0, "provider")?;
    let (body, digest) = request.json::<OwnLimits>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let (by, outcome) = (command.by(&caller), json!({"provider": provider, "limits": body}));
    let receipt = command.receipt(digest, &outcome);
    let mut tx = app.engine_pool.begin().await?;
    let at = limits::set_own(&mut tx, caller.tenant, &app.log, (provider, body), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at))
}
