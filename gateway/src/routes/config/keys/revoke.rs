//! `DELETE /api/keys/{keyId}`: revokes a key. Idempotent; only an owner may revoke the key of an owner.

use std::sync::Arc;

use luci_config::keys;
use luci_schema::KeyId;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let key: KeyId = request.id(0, "key")?;
    let command = idempotency::check(&app, &caller, &request, [0; 32]).await?;
    let mut tx = app.engine_pool.begin().await?;
    let role = keys::role_of(&mut tx, caller.tenant, key).await?.ok_or_else(|| Problem::not_found("key"))?;
    if !caller.role.may_grant(role) {
        return Err(Problem::forbidden(format!("The role {} cannot revoke a key of role {role}.", caller.role)).into());
    }
    let by = command.by(&caller);
    let outcome = json!({"keyId": key, "status": "revoked"});
    let revoked = keys::revoke(&mut tx, caller.tenant, &app.log, key, &by, command.receipt([0; 32], &outcome)).await?;
    tx.commit().await?;
    app.log.wake();
    app.callers.clear_cache();
    Ok(idempotency::accepted(&outcome, revoked.unwrap_or_else(|| app.log.head())))
}
