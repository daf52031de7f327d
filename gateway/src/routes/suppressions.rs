//! /api/suppressions: whom the tenant must not contact; added by people, taken away where the reason can be reviewed.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{
    admin::sending,
    book::suppressions::{self, Kind, Reason, Removed},
    lead::{email, phone},
};
use luci_schema::{ConfigEvent, Micros, event::SuppressionChanged};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, runs::read_date};
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    serve,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddBody {
    kind: Kind,
    value: String,
    reason: Reason,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RemoveBody {
    kind: Kind,
    value: String,
}

/// In the order of kind and value; the cursor is the last one seen, `kind:value`.
pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let limit = ask.limit(100, 500)?;
    let cursor = ask.query("cursor");
    let after =
        cursor.as_deref().map(|text| text.split_once(':').ok_or_else(|| Problem::invalid("cursor", "kind:value")));
    let mut c = app.engine_pool.acquire().await?;
    let mut found = suppressions::list(&mut c, caller.tenant, after.transpose()?, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| format!("{}:{}", last.kind, last.value));
    Ok(serve::json(StatusCode::OK, &json!({"suppressions": found, "hasMore": more, "nextCursor": next})))
}

pub async fn add(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<AddBody>().await?;
    let value = tidy(body.kind, &body.value)?;
    let expires_at = match body.expires_at.as_deref() {
        None => None,
        Some(text) => {
            Some(read_date(text).map(Micros::from).ok_or_else(|| Problem::invalid("expiresAt", "a time (RFC 3339)"))?)
        }
    };
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"status": "suppressed"});
    let changed = SuppressionChanged { reason: body.reason.as_str().into() };
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    suppressions::add(&mut tx, caller.tenant, body.kind, &value, body.reason, expires_at).await?;
    let event = ConfigEvent::SuppressionAdded(changed).into();
    let position = sending::on_tenant(&mut tx, caller.tenant, &app.log, event, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}

pub async fn remove(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<RemoveBody>().await?;
    let value = tidy(body.kind, &body.value)?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"status": "removed"});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let (removed, reason) = suppressions::remove(&mut tx, caller.tenant, body.kind, &value).await?;
    match removed {
        Removed::Absent => return Err(Problem::not_found("suppression")),
        Removed::Permanent(reason) => {
            return Err(Problem::new(StatusCode::CONFLICT, "conflict", "The suppression is for ever")
                .detail(format!("Its reason is {reason}, which cannot be reviewed."))
                .with("reason", reason));
        }
        Removed::Done => {}
    }
    let event = ConfigEvent::SuppressionRemoved(SuppressionChanged { reason }).into();
    let position = sending::on_tenant(&mut tx, caller.tenant, &app.log, event, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}

fn tidy(kind: Kind, value: &str) -> Result<String, Problem> {
    match kind {
        Kind::Phone => phone::normalise(value).ok_or_else(|| Problem::invalid("value", "a US phone number")),
        Kind::Email => email::normalise(value).ok_or_else(|| Problem::invalid("value", "an e-mail address")),
    }
}
