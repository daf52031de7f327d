//! `DELETE /api/webhook-tokens/{tokenId}`: revokes a webhook token. Idempotent.

use std::sync::Arc;

use luci_messaging::store::webhook_tokens;
use luci_schema::KeyId;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: KeyId = request.id(0, "token")?;
    let command = idempotency::check(&app, &caller, &request, [0; 32]).await?;
    let outcome = json!({"tokenId": id, "status": "revoked"});
    let (by, receipt) = (command.by(&caller), command.receipt([0; 32], &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let revoked = webhook_tokens::revoke(&mut tx, caller.tenant, &app.log, id, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, revoked.unwrap_or_else(|| app.log.head())))
}
