//! What a run waits for, as data. Computed when read: most reasons depend on the current time.

use luci_schema::{Actor, BlockId, FailureCode, Micros, Stage, event::PauseReason};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::{
    counters::RunCounts,
    run_state::{RunRow, stages::StageSum},
    status::RunStatus,
};

/// A queued block that no worker has started for this long waits for a worker.
const NO_WORKER_MICROS: i64 = 10_000_000;
/// A started block that is not settled for this long waits for its provider.
const PROVIDER_MICROS: i64 = 30_000_000;

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Waiting {
    /// It is paused. `because` is set when the engine paused it for its budget, with what the budget lacks.
    Paused { by: Actor, at: String, because: Option<PauseReason>, missing_micros: Option<u64> },
    /// Other runs hold all of the tenant's slots.
    Slot { active: u64, limit: u64 },
    /// A failed block: it is retried at `retryAt`, or a person must retry or skip it.
    Block { block_id: BlockId, stage: Stage, block_number: u32, code: FailureCode, retry_at: Option<String> },
    /// The provider's quota is used up until `until`; the block is retried then.
    ProviderBudget { provider: String, stage: Stage, until: String },
    /// Queued blocks of this stage that no worker has started.
    Worker { stage: Stage, since: String },
    /// Started blocks whose provider has not answered; `until` is the deadline of an asynchronous batch.
    Provider { provider: String, stage: Stage, since: String, until: Option<String> },
    /// The object store cannot be used: `missing`, `foreign`, `read_only`, `full` or `unreachable`. Blocks go on when it is back.
    Store { state: &'static str },
}

impl Waiting {
    /// Reason and remedy as a sentence, for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Paused { because: Some(PauseReason::Budget), missing_micros, .. } => {
                let dollars = missing_micros.unwrap_or(0) as f64 / 1e6;
                format!("paused: the budget lacks ${dollars:.2} for the next block; resume it with a higher budget")
            }
            Self::Paused { at, .. } => format!("paused since {at}; resume it to continue"),
            Self::Slot { active, limit } => {
                format!("waiting for a slot: {active} of at most {limit} runs of this tenant are active")
            }
            Self::Block { stage, block_number, code, retry_at: Some(at), .. } => {
                format!(
                    "waiting until {at}: block {block_number} of {stage} failed ({}) and is retried then",
                    code.as_str()
                )
            }
            Self::Block { stage, block_number, code, retry_at: None, .. } => {
                format!("block {block_number} of {stage} failed ({}); retry it or skip it", code.as_str())
            }
            Self::ProviderBudget { provider, stage, until } => format!(
                "waiting until {until}: a limit on calls to {provider} is used up ({stage}); \
                 raise the limit or set a key of your own to continue earlier"
            ),
            Self::Worker { stage, since } => {
                format!("waiting since {since} for a process that executes {stage} (`luci serve engine`)")
            }
            Self::Provider { provider, stage, since, until: Some(until) } => {
                format!("waiting since {since} for the results of {provider} ({stage}), at most until {until}")
            }
            Self::Provider { provider, stage, since, until: None } => {
                format!("waiting since {since} for {provider} ({stage})")
            }
            Self::Store { state } => {
                format!(
                    "waiting for the object store, which is {}; it continues when the store is available",
                    state.replace('_', " ")
                )
            }
        }
    }

    /// The fields of the reason, and `message`.
    pub(crate) fn serialize<S: Serializer>(waiting: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct WithMessage<'a> {
            #[serde(flatten)]
            waiting: &'a Waiting,
            message: String,
        }
        waiting.as_ref().map(|waiting| WithMessage { waiting, message: waiting.sentence() }).serialize(serializer)
    }
}

/// `counts`: the tenant's runs by status; absent for a run of the past.
pub(crate) fn of(run: &RunRow, counts: Option<&RunCounts>, now: OffsetDateTime) -> Option<Waiting> {
    match run.status {
        RunStatus::Queued => slot(run, counts?),
        RunStatus::Paused => run.pause.as_ref().map(|p| Waiting::Paused {
            by: p.by,
            at: p.at.rfc3339(),
            because: p.reason,
            missing_micros: p.missing_micros,
        }),
        RunStatus::Running => running(run, Micros::from(now)),
        RunStatus::Failed => failed(run),
        RunStatus::Completed | RunStatus::Cancelled => None,
    }
}

fn slot(run: &RunRow, counts: &RunCounts) -> Option<Waiting> {
    let limit = u64::try_from(run.active_runs).unwrap_or(0);
    (counts.active() >= limit).then(|| Waiting::Slot { active: counts.active(), limit })
}

fn failed(run: &RunRow) -> Option<Waiting> {
    let block = run.failed_block.as_ref()?;
    Some(Waiting::Block {
        block_id: block.block_id,
        stage: block.stage,
        block_number: block.block_number,
        code: block.code,
        retry_at: block.retry_at.map(Micros::rfc3339),
    })
}

fn running(run: &RunRow, now: Micros) -> Option<Waiting> {
    let started = |sum: &StageSum| sum.blocks.running > 0;
    if let Some(sum) = run.stages.iter().find(|sum| started(sum)) {
        // Only when no block of the run started or settled for as long.
        let newest = run.stages.iter().filter_map(|sum| sum.times.started.max(sum.times.settled)).max()?;
        let provider = sum.provider.clone()?;
        return (now.0 - newest.0 > PROVIDER_MICROS).then(|| Waiting::Provider {
            provider,
            stage: sum.stage,
            since: newest.rfc3339(),
            until: None,
        });
    }
    if let Some(sum) = run.stages.iter().find(|sum| sum.blocks.pending > 0) {
        let newest = run.stages.iter().filter_map(|sum| sum.times.queued.max(sum.times.settled)).max()?;
        return (now.0 - newest.0 > NO_WORKER_MICROS)
            .then(|| Waiting::Worker { stage: sum.stage, since: newest.rfc3339() });
    }
    budget(run).or_else(|| failed(run))
}

fn budget(run: &RunRow) -> Option<Waiting> {
    let block = run.failed_block.as_ref().filter(|block| block.code == FailureCode::RateLimit)?;
    let provider = run.stages.iter().find(|sum| sum.stage == block.stage)?.provider.clone()?;
    Some(Waiting::ProviderBudget { provider, stage: block.stage, until: block.retry_at?.rfc3339() })
}
