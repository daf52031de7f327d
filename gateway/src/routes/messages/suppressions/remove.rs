//! `POST /api/suppressions/remove`: removes a suppression that a person may lift: not the carrier's, and not a keyword's.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::suppressions::{Kind, Removed};
use luci_messaging::{
    recipients,
    store::send_settings,
    suppression_journal::{self, Decided},
};
use luci_schema::{ConfigEvent, Micros, event::SuppressionChanged};
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RemoveBody {
    kind: Kind,
    value: String,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<RemoveBody>().await?;
    let value = super::normalise(body.kind, &body.value)?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"status": "removed"});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let lifted = Decided::Lifted(Micros::now());
    let mut tx = app.engine_pool.begin().await?;
    let (removed, reason) = recipients::lift(&mut tx, &app.vault, caller.tenant, body.kind, &value).await?;
    match removed {
        Removed::Absent => return Err(Problem::not_found("suppression").into()),
        Removed::Permanent(reason) => {
            return Err(Problem::new(StatusCode::CONFLICT, "conflict", "The suppression is permanent")
                .detail(format!("A suppression with the reason {reason} cannot be removed."))
                .with("reason", reason)
                .into());
        }
        Removed::Done => {}
    }
    let event = ConfigEvent::SuppressionRemoved(SuppressionChanged { reason, rule: None, webhook_id: None }).into();
    let position = send_settings::append_to_tenant(&mut tx, caller.tenant, &app.log, event, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    let journal = (&app.storage, &*app.vault);
    suppression_journal::write(journal, caller.tenant, (body.kind, &[&value]), lifted).await;
    Ok(idempotency::accepted(&outcome, position))
}
