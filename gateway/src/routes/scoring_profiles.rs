//! /api/scoring-profiles: tables of factors, listed, published by version, and chosen for the runs to come.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{
    admin::scoring::{self, Draft},
    lead::{profile::Reference, score::Profile},
};
use luci_schema::migrate::tenant_tx;
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    serve,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Choice {
    /// The newest when absent.
    version: Option<u32>,
}

pub async fn list(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let profiles = scoring::list(&mut tx, caller.tenant).await?;
    Ok(serve::json(StatusCode::OK, &json!({"profiles": profiles})))
}

pub async fn publish(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (draft, digest) = ask.json::<Draft>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = |made: &Profile| json!({"httpStatus": 201, "name": made.name, "version": made.version});
    let mut tx = app.engine_pool.begin().await?;
    let by = command.by(&caller);
    let receipt = |made: &Profile| command.receipt(digest, &outcome(made));
    let (made, position) = scoring::publish(&mut tx, caller.tenant, &app.log, &draft, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(&made), position))
}

pub async fn activate(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let name: String = ask.id(0, "scoring profile")?;
    let (choice, digest) = ask.json::<Choice>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let wanted = Reference { name, version: choice.version };
    let outcome = json!({"name": wanted.name, "version": wanted.version, "active": true});
    let mut tx = app.engine_pool.begin().await?;
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let position = scoring::activate(&mut tx, caller.tenant, &app.log, &wanted, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}
