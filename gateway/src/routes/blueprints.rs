//! /api/blueprints: the tenant's blueprints, published (or the next version of one), activated, put away.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::admin::blueprints::{self, Activation};
use luci_schema::{BlueprintId, event::StageSpec};
use serde::Deserialize;
use serde_json::json;

use super::Answer;
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
struct BlueprintBody {
    /// To publish its next version.
    blueprint_id: Option<BlueprintId>,
    name: String,
    stages: Vec<StageSpec>,
    /// Whether new runs take this version from now on; else when it is activated.
    #[serde(default = "at_once")]
    activate: bool,
}

fn at_once() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ActivateBody {
    version: u32,
}

pub async fn list(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut c = app.engine_pool.acquire().await?;
    let blueprints = blueprints::list(&mut c, caller.tenant).await?;
    Ok(serve::json(StatusCode::OK, &json!({"blueprints": blueprints})))
}

/// Every version of one, the newest first.
pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let id: BlueprintId = ask.id(0, "blueprint")?;
    let mut c = app.engine_pool.acquire().await?;
    let versions = blueprints::versions(&mut c, caller.tenant, id).await?;
    if versions.is_empty() {
        return Err(Problem::not_found("blueprint"));
    }
    Ok(serve::json(StatusCode::OK, &json!({"versions": versions})))
}

pub async fn activate(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let id: BlueprintId = ask.id(0, "blueprint")?;
    exists(&app, &caller, id).await?;
    let (body, digest) = ask.json::<ActivateBody>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"blueprintId": id, "version": body.version, "status": "active"});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let at = blueprints::activate(&mut tx, caller.tenant, &app.log, (id, body.version), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at.unwrap_or_else(|| app.log.head())))
}

/// Puts it away; put away before, it stays so.
pub async fn archive(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let id: BlueprintId = ask.id(0, "blueprint")?;
    let command = match idempotency::begin(&app, &caller, &ask, [0; 32]).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"blueprintId": id, "status": "archived"});
    let (by, receipt) = (command.by(&caller), command.receipt([0; 32], &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let at = blueprints::archive(&mut tx, caller.tenant, &app.log, id, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, at.unwrap_or_else(|| app.log.head())))
}

/// Before a body is read: whose it is not learns nothing of it.
async fn exists(app: &App, caller: &Caller, id: BlueprintId) -> Result<(), Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let found = blueprints::newest(&mut c, caller.tenant, id).await?;
    found.map(drop).ok_or_else(|| Problem::not_found("blueprint"))
}

pub async fn publish(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<BlueprintBody>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let by = command.by(&caller);
    let activation = if body.activate { Activation::AtOnce } else { Activation::Later };
    let draft = blueprints::Draft { id: body.blueprint_id, name: body.name, stages: body.stages, activation };
    let mut tx = app.engine_pool.begin().await?;
    let outcome = |made: &blueprints::Blueprint| {
        json!({"httpStatus": 201, "blueprintId": made.blueprint_id,
        "version": made.version})
    };
    let (made, position) = blueprints::publish(&mut tx, caller.tenant, &app.log, draft, &by, |made| {
        command.receipt(digest, &outcome(made))
    })
    .await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(&made), position))
}
