//! Routes of holds: numbers that sent a possible opt-out. A person releases or suppresses them.

pub mod list;
pub mod release;
pub mod suppress;

use std::sync::Arc;

use luci_leads::store::suppressions::{Kind, Reason};
use luci_messaging::{
    recipients,
    rules::party,
    store::number_holds::HoldDecision,
    suppression_journal::{self, Decided},
};
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HoldBody {
    number: String,
}

/// Decides on every message of the number that is on hold; 404 where none is.
async fn decide(app: Arc<App>, caller: Caller, mut request: Request, decision: HoldDecision) -> HandlerResult {
    let (body, digest) = request.json::<HoldBody>().await?;
    let number = party::number(&body.number).ok_or_else(|| Problem::invalid("number", "a phone number"))?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"status": decision.as_str()});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let decided = (number.as_str(), decision);
    let position = recipients::decide_hold(&mut tx, caller.tenant, &app.log, decided, &by, receipt).await?;
    if decision == HoldDecision::Suppressed {
        let suppressed = Decided::Suppressed(Reason::OptOut, None);
        let journal = (&app.storage, &*app.vault);
        suppression_journal::write(journal, caller.tenant, (Kind::Phone, &[&number]), suppressed).await;
    }
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}
