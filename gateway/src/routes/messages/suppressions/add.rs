//! `POST /api/suppressions`: adds a suppression.

use std::sync::Arc;

use luci_leads::store::suppressions::{self, Kind, Reason};
use luci_messaging::{
    store::send_settings,
    suppression_journal::{self, Decided},
};
use luci_schema::{ConfigEvent, Micros, event::SuppressionChanged};
use serde::Deserialize;
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    idempotency,
    problem::Problem,
    request::{
        Request,
        date::{TIME_HINT, parse_time},
    },
    routes::HandlerResult,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddBody {
    kind: Kind,
    value: String,
    reason: Reason,
    expires_at: Option<String>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<AddBody>().await?;
    let value = super::normalise(body.kind, &body.value)?;
    let expires_at = match body.expires_at.as_deref() {
        None => None,
        Some(text) => Some(parse_time(text).map(Micros::from).ok_or_else(|| Problem::invalid("expiresAt", TIME_HINT))?),
    };
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"status": "suppressed"});
    let changed = SuppressionChanged { reason: body.reason.as_str().into(), rule: None, webhook_id: None };
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let decided = Decided::Suppressed(body.reason, expires_at);
    suppression_journal::write((&app.storage, &app.vault), caller.tenant, (body.kind, &[&value]), decided).await;
    let mut tx = app.engine_pool.begin().await?;
    suppressions::add(&mut tx, caller.tenant, body.kind, &value, body.reason, expires_at).await?;
    let event = ConfigEvent::SuppressionAdded(changed).into();
    let position = send_settings::append_to_tenant(&mut tx, caller.tenant, &app.log, event, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}
