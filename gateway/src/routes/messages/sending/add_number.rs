//! `POST /api/sending/numbers`: adds a sender number, if the tenant's account at the carrier has it.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::{
    carriers::Ownership,
    rules::{carrier::Carrier, party},
    store::sender_numbers::{self, UNAVAILABLE},
};
use luci_schema::FailureCode;
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
    let carrier: Carrier = body.provider.parse().map_err(|_| Problem::invalid("provider", "signalhouse or twilio"))?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    check_owner(&app, &caller, carrier, &number).await?;
    let outcome = json!({"number": number, "provider": body.provider});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let new = (number.as_str(), body.provider.as_str());
    let position = sender_numbers::add(&mut tx, caller.tenant, &app.log, new, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}

/// Asks the carrier. No connection is held meanwhile.
async fn check_owner(app: &App, caller: &Caller, carrier: Carrier, number: &str) -> Result<(), Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let owner = app.carriers.number_owner(&mut c, caller.tenant).await?;
    drop(c);
    match owner.ask(carrier, number).await {
        Ok(Ownership::Owned) => Ok(()),
        Ok(Ownership::NotOwned) => Err(Problem::invalid("number", UNAVAILABLE)),
        Ok(Ownership::NoAccount) => {
            let reason =
                format!("there is no account at {carrier}: set its credential first (PUT /api/providers/{carrier})");
            Err(Problem::invalid("provider", reason))
        }
        Err(error) if error.error().code == FailureCode::Auth => {
            Err(Problem::invalid("provider", format!("{carrier} refuses the credential: set it again")))
        }
        Err(error) => {
            tracing::warn!(tenant.id = %caller.tenant, %carrier, %error, "carrier not asked whose a number is");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "carrier-unavailable", "The carrier did not answer")
                .detail(format!("{carrier} could not be asked whether the account has this number. Try again."))
                .header(http::header::RETRY_AFTER, "10"))
        }
    }
}
