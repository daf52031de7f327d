//! POST /api/pipelines: a run on an import or a sector; …/replay and …/retry with `fromStage`: a run on an earlier one's input.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{
    admin::{prices, scoring},
    run::{Run, RunCommand},
    start::{self, Source, StartError, StartedBy, Wanted},
};
use luci_schema::{
    BlueprintId, Hash, ImportId, RunId, Stage,
    event::{OnExisting, RunInput, RunOptions, RunQueued, TriggerType},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Answer,
    mended::{self, Named},
    run_commands::refused,
};
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
};

/// The most leads that `maxLeads` can be raised to, and the most blocks in flight.
const MOST_LEADS: u64 = 10_000_000;
const MOST_WINDOW: u32 = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartBody {
    import_id: Option<ImportId>,
    /// Its id or slug.
    sector_id: Option<String>,
    blueprint_id: Option<BlueprintId>,
    /// The run whose failed leads the import holds, mended.
    parent_run_id: Option<RunId>,
    /// Shown in lists; the blueprint's name when absent.
    pipeline_name: Option<String>,
    #[serde(default)]
    options: OptionsBody,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OptionsBody {
    block_size: Option<u32>,
    window: Option<u32>,
    max_leads: Option<u64>,
    on_existing: Option<OnExisting>,
    budget_micros: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryBody {
    pub from_stage: Option<Stage>,
}

impl OptionsBody {
    fn checked(&self) -> Result<RunOptions, Problem> {
        let usual = RunOptions::default();
        let mut errors = Vec::new();
        let mut check = |field: &str, given: u64, most: u64| {
            if !(1..=most).contains(&given) {
                errors.push((format!("options.{field}"), format!("1 to {most}, found {given}")));
            }
        };
        let options = RunOptions {
            block_size: self.block_size.unwrap_or(usual.block_size),
            window: self.window.unwrap_or(usual.window),
            max_leads: self.max_leads.unwrap_or(usual.max_leads),
            on_existing: self.on_existing.unwrap_or(usual.on_existing),
        };
        check("blockSize", u64::from(options.block_size), 1_000);
        check("window", u64::from(options.window), u64::from(MOST_WINDOW));
        check("maxLeads", options.max_leads, MOST_LEADS);
        if self.budget_micros == Some(0) {
            errors.push(("options.budgetMicros".into(), "1 or more".into()));
        }
        if errors.is_empty() { Ok(options) } else { Err(Problem::fields(errors)) }
    }
}

pub async fn start(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<StartBody>().await?;
    let begun = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let named = body.parent_run_id;
    let wanted = body.wanted()?;
    let run = RunId::generate();
    let queued = queued(&app, &caller, &wanted, run, named).await?;
    queue(&app, &caller, &ask, begun, digest, run, queued).await
}

impl StartBody {
    /// What is wanted, each field by itself.
    pub fn wanted(self) -> Result<Wanted, Problem> {
        let options = self.options.checked()?;
        let source = match (self.import_id, self.sector_id) {
            (Some(import), sector) => Source::Import { import, sector },
            (None, Some(sector)) => Source::Sector(sector),
            (None, None) => {
                let both = "importId, sectorId or both are needed";
                return Err(Problem::fields(vec![("importId".into(), both.into()), ("sectorId".into(), both.into())]));
            }
        };
        Ok(Wanted {
            source,
            blueprint: self.blueprint_id,
            pipeline_name: self.pipeline_name,
            options,
            budget_micros: self.options.budget_micros,
        })
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let said = error.to_string();
        match error {
            StartError::Invalid { field, reason } => Self::invalid(field, reason),
            StartError::TooManyLeads { leads, max_leads } => {
                Self::invalid("options.maxLeads", said).with("leads", leads).with("maxLeads", max_leads)
            }
            StartError::Admin(error) => error.into(),
            StartError::Database(error) => error.into(),
        }
    }
}

async fn queued(
    app: &App,
    caller: &Caller,
    wanted: &Wanted,
    run: RunId,
    named: Option<RunId>,
) -> Result<RunQueued, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let exported_from = start::exported_from(&mut c, caller.tenant, &wanted.source).await?;
    // The parent is read from the log, by connections of the same pool.
    drop(c);
    let parent = mended::parent(app, caller, named, exported_from).await?;
    let mut c = app.engine_pool.acquire().await?;
    let by = StartedBy { actor: caller.author(), trigger: TriggerType::Manual };
    let mut queued = start::queued(&mut c, caller.tenant, wanted, run, by).await?;
    if let Some((id, parent)) = parent {
        let named = if wanted.blueprint.is_some() { Named::Blueprint } else { Named::Nothing };
        mended::adopt(&mut queued, id, &parent, named);
        scoring::pin(&mut c, caller.tenant, &mut queued.stages).await?;
        queued.prices = prices::pin(&mut c, &queued.stages).await?;
    }
    Ok(queued)
}

pub async fn queue(
    app: &App,
    caller: &Caller,
    ask: &Ask,
    begun: idempotency::Command,
    digest: Hash,
    run: RunId,
    queued: RunQueued,
) -> Answer {
    let outcome = json!({"runId": run, "status": "queued"});
    let mut cause = begun.cause(caller, ask, digest, &outcome)?;
    // `If-Match` speaks of the run that was looked at, not of the new one.
    cause.if_match = None;
    match app.issuer.issue(caller.tenant, run, &RunCommand::Queue(Box::new(queued)), cause).await {
        Ok(issued) => Ok(idempotency::accepted(&outcome, issued.position)),
        Err(error) => refused(error, digest),
    }
}

/// POST /api/pipelines/{runId}/replay: the same input and pinned blueprint once more.
pub async fn replay(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let old: RunId = ask.id(0, "run")?;
    let (_, digest) = ask.json::<serde_json::Map<String, serde_json::Value>>().await?;
    let begun = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let queued = replayed(&app, &caller, old).await?;
    queue(&app, &caller, &ask, begun, digest, RunId::generate(), queued).await
}

/// What a replay of a run begins with.
pub async fn replayed(app: &App, caller: &Caller, old: RunId) -> Result<RunQueued, Problem> {
    let parent = parent(app, caller, old).await?;
    let mut queued = again(app, &parent, caller).await?;
    if matches!(queued.input, RunInput::Sector { .. }) {
        // The sector has other members by now: the leads that were read then are in the run's artifacts.
        queued.input = RunInput::Artifacts { run_id: old, stage: Stage::Import };
        queued.total_leads = put_out(&parent, Stage::Import);
    }
    queued.replayed_from_run_id = Some(old);
    Ok(queued)
}

/// POST /api/pipelines/{runId}/retry `{fromStage}`: the stages from there on, over what the stage before put out.
pub async fn retry_from(app: Arc<App>, caller: Caller, ask: Ask, stage: Stage, digest: Hash) -> Answer {
    let old: RunId = ask.id(0, "run")?;
    let begun = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let parent = parent(&app, &caller, old).await?;
    let mut queued = again(&app, &parent, &caller).await?;
    let index = queued.stages.iter().position(|spec| spec.stage == stage);
    let index = index.ok_or_else(|| Problem::invalid("fromStage", "the run has no such stage"))?;
    if index > 0 {
        let before = queued.stages[index - 1].stage;
        queued.input = RunInput::Artifacts { run_id: old, stage: before };
        queued.total_leads = put_out(&parent, before);
        queued.stages.drain(1..index);
    }
    if queued.total_leads == 0 {
        return Err(Problem::invalid("fromStage", "the stage before it put out no leads"));
    }
    queued.parent_run_id = Some(old);
    queue(&app, &caller, &ask, begun, digest, RunId::generate(), queued).await
}

pub async fn parent(app: &App, caller: &Caller, run: RunId) -> Result<Arc<Run>, Problem> {
    let parent = app.issuer.load_newest(caller.tenant, run).await?.ok_or_else(|| Problem::not_found("run"))?;
    if parent.deleted() || !parent.status().ended() {
        let why = if parent.deleted() { "The run was deleted." } else { "The run has not ended." };
        return Err(Problem::new(StatusCode::CONFLICT, "illegal-status", "Not possible now")
            .detail(why)
            .with("runStatus", parent.status().as_str()));
    }
    Ok(parent)
}

/// The run as it was queued, asked for by this caller, at the prices of today.
pub async fn again(app: &App, parent: &Run, caller: &Caller) -> Result<RunQueued, Problem> {
    let mut queued = RunQueued::clone(parent.queued());
    queued.triggered_by = caller.author();
    queued.trigger_type = TriggerType::Replay;
    queued.parent_run_id = None;
    queued.replayed_from_run_id = None;
    queued.prices = prices::pin(&mut *app.engine_pool.acquire().await?, &queued.stages).await?;
    Ok(queued)
}

pub fn put_out(run: &Run, stage: Stage) -> u64 {
    run.stages().iter().find(|state| state.stage == stage).map_or(0, |state| state.sums.output())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked_by_name() {
        let wrong = OptionsBody { block_size: Some(0), window: Some(9_999), ..OptionsBody::default() };
        let Err(problem) = wrong.checked() else { panic!("refused") };
        let text = format!("{problem:?}");
        assert!(text.contains("options.blockSize") && text.contains("options.window"));
        assert_eq!(OptionsBody::default().checked().unwrap(), RunOptions::default());
    }
}
