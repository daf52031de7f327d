//! `POST /api/pipelines`: starts a run on an import or a sector.

use std::sync::Arc;

use luci_leads::commands::scoring_profiles;
use luci_schema::{
    BlueprintId, ImportId, RunId,
    event::{OnExisting, OnMissingProvider, RunOptions, RunQueued, TriggerType},
};
use luci_stages::{
    file_start::{self, Repeat},
    start::{self, LeadSource, StartRequest, StartedBy},
};
use serde::Deserialize;

use crate::{
    App,
    caller::Caller,
    idempotency,
    problem::Problem,
    request::Request,
    routes::{
        HandlerResult,
        runs::{
            corrected::{self, RequestedStages},
            queue::queue,
        },
    },
};

/// The upper bound of `maxLeads`.
const MAX_LEADS: u64 = 10_000_000;
/// The upper bound of `window`, the number of blocks in flight.
const MAX_WINDOW: u32 = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartBody {
    import_id: Option<ImportId>,
    /// Id or slug.
    sector_id: Option<String>,
    blueprint_id: Option<BlueprintId>,
    /// The run whose failed leads the import contains, corrected.
    parent_run_id: Option<RunId>,
    /// Shown in lists; defaults to the name of the blueprint.
    pipeline_name: Option<String>,
    /// Whether a file that was started before may be started again.
    #[serde(default)]
    allow_repeat: bool,
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
    #[serde(default)]
    on_missing_provider: OnMissingProvider,
    budget_micros: Option<u64>,
}

impl OptionsBody {
    /// 422 lists every field that is out of range.
    fn checked(&self) -> Result<RunOptions, Problem> {
        let default = RunOptions::default();
        let mut errors = Vec::new();
        let mut check = |field: &str, value: u64, max: u64| {
            if !(1..=max).contains(&value) {
                errors.push((format!("options.{field}"), format!("1 to {max}, found {value}")));
            }
        };
        let options = RunOptions {
            block_size: self.block_size.unwrap_or(default.block_size),
            window: self.window.unwrap_or(default.window),
            max_leads: self.max_leads.unwrap_or(default.max_leads),
            on_existing: self.on_existing.unwrap_or(default.on_existing),
            on_missing_provider: self.on_missing_provider,
        };
        check("blockSize", u64::from(options.block_size), 1_000);
        check("window", u64::from(options.window), u64::from(MAX_WINDOW));
        check("maxLeads", options.max_leads, MAX_LEADS);
        if self.budget_micros == Some(0) {
            errors.push(("options.budgetMicros".into(), "1 or more".into()));
        }
        if errors.is_empty() { Ok(options) } else { Err(Problem::invalid_fields(errors)) }
    }
}

impl StartBody {
    /// Checks each field by itself; nothing is looked up.
    pub fn into_start(self) -> Result<StartRequest, Problem> {
        let options = self.options.checked()?;
        let source = match (self.import_id, self.sector_id) {
            (Some(import), sector) => LeadSource::Import { import, sector },
            (None, Some(sector)) => LeadSource::Sector(sector),
            (None, None) => {
                let reason = "importId, sectorId or both are required";
                return Err(Problem::invalid_fields(vec![
                    ("importId".into(), reason.into()),
                    ("sectorId".into(), reason.into()),
                ]));
            }
        };
        Ok(StartRequest {
            source,
            blueprint: self.blueprint_id,
            pipeline_name: self.pipeline_name,
            options,
            budget_micros: self.options.budget_micros,
        })
    }
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<StartBody>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let parent = body.parent_run_id;
    let repeat = if body.allow_repeat { Repeat::Allowed } else { Repeat::Refused };
    let start = body.into_start()?;
    let run = RunId::generate();
    let queued = queued(&app, &caller, &start, run, parent).await?;
    let by = command.by(&caller);
    let held = file_start::hold(&app.log, caller.tenant, &start.source, (run, &by.command), repeat).await?;
    let started = queue(&app, &caller, &request, command, digest, run, queued).await;
    if let (Err(_), Some(held)) = (&started, &held) {
        file_start::release(&mut *app.engine_pool.acquire().await?, caller.tenant, held).await?;
    }
    started
}

async fn queued(
    app: &App,
    caller: &Caller,
    start: &StartRequest,
    run: RunId,
    parent: Option<RunId>,
) -> Result<RunQueued, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let exported_from = start::exported_from(&mut c, caller.tenant, &start.source).await?;
    // The parent is read from the log, which takes its own connection of the same pool.
    drop(c);
    let parent = corrected::parent(app, caller, parent, exported_from).await?;
    let mut c = app.engine_pool.acquire().await?;
    let by = StartedBy { actor: caller.author(), trigger: TriggerType::Manual };
    let mut queued = start::queued(&mut c, caller.tenant, start, run, by).await?;
    if let Some((id, parent)) = parent {
        let stages = if start.blueprint.is_some() { RequestedStages::Blueprint } else { RequestedStages::None };
        corrected::adopt(&mut queued, id, &parent, stages);
        scoring_profiles::pin(&mut c, caller.tenant, &mut queued.stages).await?;
        queued.prices = luci_stages::start::pin_prices(&mut c, &queued.stages).await?;
    }
    Ok(queued)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked_by_name() {
        let body = OptionsBody { block_size: Some(0), window: Some(9_999), ..OptionsBody::default() };
        let Err(problem) = body.checked() else { panic!("422") };
        let text = format!("{problem:?}");
        assert!(text.contains("options.blockSize") && text.contains("options.window"));
        assert_eq!(OptionsBody::default().checked().unwrap(), RunOptions::default());
    }
}
