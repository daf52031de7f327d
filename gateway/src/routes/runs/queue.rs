//! Issues the command that queues a new run: the one door of every road on which a caller starts one.

use luci_config::Right;
use luci_runs::core::RunCommand;
use luci_schema::{
    Hash, RunId, Stage,
    event::{OnMissingProvider, RunQueued, StageSpec},
};
use luci_stages::{start::missing_providers, start_limits};
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    idempotency,
    problem::Problem,
    request::Request,
    routes::{HandlerResult, runs::command::failed},
};

/// 202 with the id of the new run. Messages of a caller who may not approve them wait for approval, whatever the blueprint or
/// the earlier run says.
pub async fn queue(
    app: &App,
    caller: &Caller,
    request: &Request,
    command: idempotency::Command,
    digest: Hash,
    run: RunId,
    mut queued: RunQueued,
) -> HandlerResult {
    let mut c = app.engine_pool.acquire().await?;
    if queued.options.on_missing_provider == OnMissingProvider::Refuse {
        let missing = missing_providers(&mut c, caller.tenant, &app.own_providers, &queued.stages).await?;
        if !missing.is_empty() {
            return Err(Problem::missing_providers(&missing).into());
        }
    }
    let (stages, leads) = (&queued.stages, queued.total_leads);
    let limits = start_limits::reached(&mut c, caller.tenant, &app.provider_limits, stages, leads).await?;
    drop(c);
    if !caller.role.may(Right::Administer) {
        queued.stages.iter_mut().for_each(wait_for_approval);
    }
    let mut outcome = json!({"runId": run, "status": "queued"});
    if !limits.is_empty() {
        outcome["limits"] = json!(limits);
    }
    let mut cause = command.cause(caller, request, digest, &outcome)?;
    // `If-Match` is about the earlier run, not about the new one.
    cause.if_match = None;
    match app.issuer.issue(caller.tenant, run, &RunCommand::Queue(Box::new(queued)), cause).await {
        Ok(issued) => Ok(idempotency::accepted(&outcome, issued.position)),
        Err(error) => failed(error, digest),
    }
}

/// Makes the messages of PUSH drafts.
fn wait_for_approval(spec: &mut StageSpec) {
    if spec.stage == Stage::Push
        && let Some(config) = spec.config.as_object_mut()
        && config.contains_key("mode")
    {
        config.insert("mode".into(), "draft".into());
    }
}
