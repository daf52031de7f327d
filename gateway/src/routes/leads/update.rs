//! `PATCH /api/leads/{leadId}`: changes the status of a lead.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::{
    commands::{statuses as admin, statuses::StatusChange},
    lead::status::LeadStatus,
};
use luci_schema::LeadId;
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateBody {
    status: Option<LeadStatus>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let id: LeadId = request.id(0, "lead")?;
    let (body, digest) = request.json::<UpdateBody>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let mut tx = app.engine_pool.begin().await?;
    let outcome = json!({"leadId": id, "status": body.status});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let change = admin::set_status(&mut tx, caller.tenant, &app.log, (id, body.status), &by, receipt).await?;
    match change {
        StatusChange::Changed(position) => {
            tx.commit().await?;
            app.log.wake();
            Ok(idempotency::accepted(&outcome, position))
        }
        StatusChange::Unchanged => Ok(idempotency::accepted(&outcome, app.log.head())),
        StatusChange::Refused { from } => {
            Err(Problem::new(StatusCode::CONFLICT, "illegal-status", "Not possible in the current state")
                .detail("The status moves forwards only: new, contacted, qualified, converted. dnc is final.")
                .with("leadStatus", from.as_str())
                .into())
        }
    }
}
