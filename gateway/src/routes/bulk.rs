//! POST /api/pipelines/bulk: one command for all runs that a filter names, each decided by itself; or what would come of it.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{
    admin::change,
    issue::IssueError,
    run::{Context, RunCommand, decide},
};
use luci_projections::runs::{self, RunFilter};
use luci_schema::{CommandId, EventId, Hash, Micros, Position, RunId, SectorId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer,
    runs::{parse, read_date},
    start,
};
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    reads::Reading,
    serve,
};

/// Runs of one call; what is left over is told.
const MOST: u32 = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    action: Action,
    filter: Which,
    limit: Option<u32>,
    /// Decides, and carries nothing out.
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

/// As the list of runs is filtered, or by id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Which {
    #[serde(default)]
    run_ids: Vec<RunId>,
    #[serde(default)]
    status: Vec<String>,
    sector_id: Option<SectorId>,
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    date_field: Option<String>,
}

impl Action {
    /// The command, and the status that a run has after it.
    fn plain(self) -> Option<(RunCommand, &'static str)> {
        match self {
            Self::Pause => Some((RunCommand::Pause, "paused")),
            Self::Resume => Some((RunCommand::Resume, "running")),
            Self::Cancel => Some((RunCommand::Cancel, "cancelled")),
            Self::Retry => Some((RunCommand::RetryRun, "running")),
            Self::Delete => Some((RunCommand::Delete, "deleted")),
            // It begins another run.
            Self::Replay => None,
        }
    }
}

impl Which {
    fn filter(&self, limit: u32) -> Result<RunFilter, Problem> {
        let date = |field: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => match read_date(text) {
                Some(at) => Ok(Some(at)),
                None => Err(Problem::invalid(&format!("filter.{field}"), "a time (RFC 3339) or a day")),
            },
        };
        let filter = RunFilter {
            status: self.status.iter().map(|text| parse("filter.status", text)).collect::<Result<_, _>>()?,
            sector_id: self.sector_id,
            q: self.q.clone().filter(|q| !q.is_empty()),
            from: date("from", &self.from)?,
            to: date("to", &self.to)?,
            date_field: self
                .date_field
                .as_deref()
                .map(|text| parse("filter.dateField", text))
                .transpose()?
                .unwrap_or_default(),
            limit,
            ..RunFilter::default()
        };
        let named = !filter.status.is_empty() || filter.sector_id.is_some() || filter.q.is_some();
        if !(named || filter.from.is_some() || filter.to.is_some()) {
            return Err(Problem::invalid("filter", "runIds, status, sectorId, q, from or to"));
        }
        Ok(filter)
    }
}

pub async fn post(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<Body>().await?;
    let most = body.limit.unwrap_or(MOST);
    if !(1..=MOST).contains(&most) || body.filter.run_ids.len() > MOST as usize {
        return Err(Problem::invalid("limit", format!("1 to {MOST} runs")));
    }
    let begun = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(begun) => begun,
    };
    let (matched, runs) = matching(&app, &caller, &ask, &body.filter, most).await?;
    let one = One { app: &app, caller: &caller, ask: &ask, begun: &begun, digest, action: body.action };
    let (mut done, mut refused, mut position) = (Vec::new(), Vec::new(), Position(0));
    for run in &runs {
        let outcome = if body.dry_run { one.decided(*run).await } else { one.done(*run).await };
        match outcome {
            Ok((told, at)) => {
                position = position.max(at);
                done.push(told);
            }
            Err(problem) => refused.push(json!({"runId": run, "problem": problem.brief()})),
        }
    }
    let left = matched.saturating_sub(runs.len() as u64);
    let outcome = json!({"dryRun": body.dry_run, "matched": matched, "done": done, "refused": refused, "left": left});
    if body.dry_run {
        return Ok(serve::json(StatusCode::OK, &outcome));
    }
    let mut tx = app.engine_pool.begin().await?;
    let receipt = begun.receipt(digest, &outcome);
    let at = change::remember(&mut tx, caller.tenant, &app.log, &begun.by(&caller), receipt).await?;
    tx.commit().await?;
    Ok(idempotency::accepted(&outcome, position.max(at)))
}

/// How many runs there are, and the newest of them.
async fn matching(
    app: &App,
    caller: &Caller,
    ask: &Ask,
    which: &Which,
    most: u32,
) -> Result<(u64, Vec<RunId>), Problem> {
    if !which.run_ids.is_empty() {
        let only = which.status.is_empty() && which.sector_id.is_none() && which.q.is_none();
        if !(only && which.from.is_none() && which.to.is_none()) {
            return Err(Problem::invalid("filter", "either runIds or the filter of a list"));
        }
        let runs: Vec<RunId> = which.run_ids.iter().copied().take(most as usize).collect();
        return Ok((which.run_ids.len() as u64, runs));
    }
    let filter = which.filter(most)?;
    let mut reading = Reading::begin(app, caller, ask).await?;
    let page = runs::list(&mut reading.tx, caller.tenant, &filter).await?;
    Ok((page.total, page.runs.iter().map(|run| run.run_id).collect()))
}

/// The command for one run.
struct One<'a> {
    app: &'a App,
    caller: &'a Caller,
    ask: &'a Ask,
    begun: &'a idempotency::Command,
    digest: Hash,
    action: Action,
}

type Told = (Value, Position);

impl One<'_> {
    async fn done(&self, run: RunId) -> Result<Told, Problem> {
        let (at, command, outcome) = match self.action.plain() {
            Some((command, status)) => (run, command, json!({"runId": run, "status": status})),
            None => {
                let (queued, new) = (start::replayed(self.app, self.caller, run).await?, RunId::generate());
                let outcome = json!({"runId": run, "status": "queued", "newRunId": new});
                (new, RunCommand::Queue(Box::new(queued)), outcome)
            }
        };
        let mut cause = self.begun.cause(self.caller, self.ask, self.digest, &outcome)?;
        // Each has a receipt of its own: a call that broke off and is made again takes up where it was.
        cause.command = CommandId::derive(&["bulk", &self.begun.id.to_string(), &run.to_string()]);
        cause.if_match = None;
        match self.app.issuer.issue(self.caller.tenant, at, &command, cause).await {
            Ok(issued) => Ok((outcome, issued.position)),
            Err(IssueError::AlreadyDone(receipt)) => Ok((receipt.outcome.clone(), receipt.position)),
            Err(error) => Err(error.into()),
        }
    }

    async fn decided(&self, run: RunId) -> Result<Told, Problem> {
        let Some((command, status)) = self.action.plain() else {
            start::replayed(self.app, self.caller, run).await?;
            return Ok((json!({"runId": run, "status": "queued"}), Position(0)));
        };
        let folded = self.app.issuer.load_newest(self.caller.tenant, run).await?;
        let folded = folded.ok_or_else(|| Problem::not_found("run"))?;
        let context = Context { now: Micros::now(), seed: EventId::generate().ulid(), actor: self.caller.author() };
        decide(&folded, &command, &context)?;
        Ok((json!({"runId": run, "status": status}), Position(0)))
    }
}
