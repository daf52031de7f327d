//! /api/blueprints: the tenant's blueprints, and publishing one (or the next version of one).

use std::sync::Arc;

use http::StatusCode;
use luci_engine::admin::blueprints;
use luci_schema::{BlueprintId, event::StageSpec};
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
struct BlueprintBody {
    /// To publish its next version.
    blueprint_id: Option<BlueprintId>,
    name: String,
    stages: Vec<StageSpec>,
}

pub async fn list(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut c = app.engine_pool.acquire().await?;
    let blueprints = blueprints::list(&mut c, caller.tenant).await?;
    Ok(serve::json(StatusCode::OK, &json!({"blueprints": blueprints})))
}

pub async fn publish(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<BlueprintBody>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let by = command.by(&caller);
    let draft = blueprints::Draft { id: body.blueprint_id, name: body.name, stages: body.stages };
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
