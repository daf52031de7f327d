//! `POST /api/blueprints`: publishes a blueprint, or the next version of one.

use std::sync::Arc;

use luci_config::blueprints::{self, Activation};
use luci_schema::{BlueprintId, Stage, event::StageSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BlueprintBody {
    /// Set to publish the next version of this blueprint.
    blueprint_id: Option<BlueprintId>,
    name: String,
    stages: Vec<StageSpec>,
    /// Whether new runs use this version at once; else when it is activated.
    #[serde(default = "activate_at_once")]
    activate: bool,
}

fn activate_at_once() -> bool {
    true
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<BlueprintBody>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let by = command.by(&caller);
    let activation = if body.activate { Activation::Immediately } else { Activation::OnRequest };
    let draft = blueprints::BlueprintDraft { id: body.blueprint_id, name: body.name, stages: body.stages, activation };
    let mut tx = app.engine_pool.begin().await?;
    let outcome = |published: &blueprints::Blueprint| {
        idempotency::created(json!({"blueprintId": published.blueprint_id,
        "version": published.version}))
    };
    let (published, position) =
        blueprints::publish(&mut tx, caller.tenant, &app.log, (draft, check_settings), &by, |published| {
            command.receipt(digest, &outcome(published))
        })
        .await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(&published), position))
}

fn check_settings(stage: Stage, config: &Value) -> Result<(), String> {
    luci_stages::check(stage, config).map_err(|bad| bad.to_string())
}
