//! `POST /api/pipelines/bulk`: one command for all runs that match a filter, or a dry run of it.

use std::sync::Arc;

use http::StatusCode;
use luci_config::tenants;
use luci_projections::runs::{self, RunFilter};
use luci_runs::{
    core::{Context, RunCommand, decide},
    issue::IssueError,
};
use luci_schema::{CommandId, EventId, Hash, Micros, Position, RunId, SectorId};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    App,
    caller::Caller,
    idempotency,
    problem::Problem,
    reads::Reading,
    reply,
    request::{
        Request,
        date::{TIME_HINT, parse_end, parse_time},
        parse_field,
    },
    routes::{
        HandlerResult,
        runs::{earlier_run, replay},
    },
};

/// Runs of one call; `left` in the response counts the others.
const MAX_RUNS: u32 = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    action: Action,
    filter: FilterBody,
    limit: Option<u32>,
    /// Decides the command for each run and executes none.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Pause,
    Resume,
    Cancel,
    Retry,
    Replay,
    Delete,
}

/// Either `runIds`, or the filter of the list of runs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FilterBody {
    #[serde(default)]
    run_ids: Vec<RunId>,
    #[serde(default)]
    status: Vec<String>,
    sector_id: Option<SectorId>,
    #[serde(default)]
    exclude_sector_id: Vec<SectorId>,
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    date_field: Option<String>,
}

impl Action {
    /// The command, and the status of a run after it; `None` for a replay, which queues another run.
    fn command(self) -> Option<(RunCommand, &'static str)> {
        match self {
            Self::Pause => Some((RunCommand::Pause, "paused")),
            Self::Resume => Some((RunCommand::Resume, "running")),
            Self::Cancel => Some((RunCommand::Cancel, "cancelled")),
            Self::Retry => Some((RunCommand::RetryRun, "running")),
            Self::Delete => Some((RunCommand::Delete, "deleted")),
            Self::Replay => None,
        }
    }
}

impl FilterBody {
    fn filter(&self, limit: u32) -> Result<RunFilter, Problem> {
        let date = |field: &str, text: &Option<String>, parse: fn(&str) -> Option<OffsetDateTime>| match text {
            None => Ok(None),
            Some(text) => match parse(text) {
                Some(at) => Ok(Some(at)),
                None => Err(Problem::invalid(&format!("filter.{field}"), TIME_HINT)),
            },
        };
        let filter = RunFilter {
            status: self.status.iter().map(|text| parse_field("filter.status", text)).collect::<Result<_, _>>()?,
            sector_id: self.sector_id,
            exclude_sector_id: self.exclude_sector_id.clone(),
            q: self.q.clone().filter(|q| !q.is_empty()),
            from: date("from", &self.from, parse_time)?,
            to: date("to", &self.to, parse_end)?,
            date_field: self
                .date_field
                .as_deref()
                .map(|text| parse_field("filter.dateField", text))
                .transpose()?
                .unwrap_or_default(),
            limit,
            ..RunFilter::default()
        };
        let sectors = filter.sector_id.is_some() || !filter.exclude_sector_id.is_empty();
        let limited = !filter.status.is_empty() || sectors || filter.q.is_some();
        if !(limited || filter.from.is_some() || filter.to.is_some()) {
            return Err(Problem::invalid("filter", "runIds, status, sectorId, excludeSectorId, q, from or to"));
        }
        Ok(filter)
    }
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<Body>().await?;
    let max = body.limit.unwrap_or(MAX_RUNS);
    if !(1..=MAX_RUNS).contains(&max) || body.filter.run_ids.len() > MAX_RUNS as usize {
        return Err(Problem::invalid("limit", format!("1 to {MAX_RUNS} runs")).into());
    }
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let (matched, runs) = matching(&app, &caller, &request, &body.filter, max).await?;
    let bulk = Bulk { app: &app, caller: &caller, request: &request, command: &command, digest, action: body.action };
    let (mut done, mut refused, mut position) = (Vec::new(), Vec::new(), Position(0));
    for run in &runs {
        let outcome = if body.dry_run { bulk.decide(*run).await } else { bulk.execute(*run).await };
        match outcome {
            Ok((result, at)) => {
                position = position.max(at);
                done.push(result);
            }
            Err(problem) => refused.push(json!({"runId": run, "problem": problem.brief()})),
        }
    }
    let left = matched.saturating_sub(runs.len() as u64);
    let outcome = json!({"dryRun": body.dry_run, "matched": matched, "done": done, "refused": refused, "left": left});
    if body.dry_run {
        return Ok(reply::json(StatusCode::OK, &outcome));
    }
    let mut tx = app.engine_pool.begin().await?;
    let receipt = command.receipt(digest, &outcome);
    let at = tenants::store_receipt(&mut tx, caller.tenant, &app.log, &command.by(&caller), receipt).await?;
    tx.commit().await?;
    Ok(idempotency::accepted(&outcome, position.max(at)))
}

/// The number of matching runs, and the newest `max` of them.
async fn matching(
    app: &App,
    caller: &Caller,
    request: &Request,
    body: &FilterBody,
    max: u32,
) -> Result<(u64, Vec<RunId>), Problem> {
    if !body.run_ids.is_empty() {
        let by_id_only =
            body.status.is_empty() && body.sector_id.is_none() && body.exclude_sector_id.is_empty() && body.q.is_none();
        if !(by_id_only && body.from.is_none() && body.to.is_none()) {
            return Err(Problem::invalid("filter", "either runIds or the other fields"));
        }
        let runs: Vec<RunId> = body.run_ids.iter().copied().take(max as usize).collect();
        return Ok((body.run_ids.len() as u64, runs));
    }
    let filter = body.filter(max)?;
    let mut reading = Reading::begin(app, caller, request).await?;
    let page = runs::list(&mut reading.tx, caller.tenant, &filter).await?;
    Ok((page.total, page.runs.iter().map(|run| run.run_id).collect()))
}

/// One command on many runs.
struct Bulk<'a> {
    app: &'a App,
    caller: &'a Caller,
    request: &'a Request,
    command: &'a idempotency::Command,
    digest: Hash,
    action: Action,
}

/// The entry of a run in the response, and the position of its event (0 in a dry run).
type RunResult = (Value, Position);

impl Bulk<'_> {
    async fn execute(&self, run: RunId) -> Result<RunResult, Problem> {
        let (target, command, outcome) = match self.action.command() {
            Some((command, status)) => {
                self.check(run).await?;
                (run, command, json!({"runId": run, "status": status}))
            }
            None => {
                let (queued, new) = (replay::replayed(self.app, self.caller, run).await?, RunId::generate());
                let outcome = json!({"runId": run, "status": "queued", "newRunId": new});
                (new, RunCommand::Queue(Box::new(queued)), outcome)
            }
        };
        let mut cause = self.command.cause(self.caller, self.request, self.digest, &outcome)?;
        // One receipt a run: a repeat of an interrupted call continues where that stopped.
        cause.command = CommandId::derive(&["bulk", &self.command.id.to_string(), &run.to_string()]);
        cause.if_match = None;
        match self.app.issuer.issue(self.caller.tenant, target, &command, cause).await {
            Ok(issued) => Ok((outcome, issued.position)),
            Err(IssueError::AlreadyDone(receipt)) => Ok((receipt.outcome.clone(), receipt.position)),
            Err(error) => Err(error.into()),
        }
    }

    /// A retry needs the objects that its blocks read.
    async fn check(&self, run: RunId) -> Result<(), Problem> {
        match self.action {
            Action::Retry => earlier_run::check_retried(self.app, self.caller, run, None).await,
            Action::Pause | Action::Resume | Action::Cancel | Action::Replay | Action::Delete => Ok(()),
        }
    }

    async fn decide(&self, run: RunId) -> Result<RunResult, Problem> {
        let Some((command, status)) = self.action.command() else {
            replay::replayed(self.app, self.caller, run).await?;
            return Ok((json!({"runId": run, "status": "queued"}), Position(0)));
        };
        self.check(run).await?;
        let state = self.app.issuer.load_newest(self.caller.tenant, run).await?;
        let state = state.ok_or_else(|| Problem::not_found("run"))?;
        let context = Context { now: Micros::now(), seed: EventId::generate().ulid(), actor: self.caller.author() };
        decide(&state, &command, &context)?;
        Ok((json!({"runId": run, "status": status}), Position(0)))
    }
}
