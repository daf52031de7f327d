//! `POST /api/sending/numbers`: adds a sender number.

use std::sync::Arc;

use luci_messaging::rules::party;
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NumberBody {
    number: String,
    provider: String,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<NumberBody>().await?;
    let number = party::receiver(&body.number)
        .ok_or_else(|| Problem::invalid("number", "a phone number, a short code, or a messaging service (MG…)"))?;
    if !["signalhouse", "twilio"].contains(&body.provider.as_str()) {
        return Err(Problem::invalid("provider", "signalhouse or twilio").into());
    }
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"number": number, "provider": body.provider});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let new = (number.as_str(), body.provider.as_str());
    let position =
        luci_messaging::store::sender_numbers::add(&mut tx, caller.tenant, &app.log, new, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}
