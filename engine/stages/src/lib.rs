//! The seven stages: one module per block kind. The list below is all there is to registering one.
//!
//! The only crate that sees leads, providers, messaging and runs; so the start of a run and the automations that start runs
//! are here too.

mod assign;
mod async_trace;
pub mod automations;
mod corrected;
mod enrich;
pub mod erasure;
pub mod file_start;
mod import;
pub mod kind;
mod lookup;
mod outcome;
mod push;
pub mod retention;
mod score;
mod sector_list;
pub mod settings;
mod skip_trace;
pub mod stage_outputs;
pub mod start;
pub mod start_limits;
mod validate;

use std::sync::{Arc, LazyLock};

use futures::{FutureExt as _, TryFutureExt as _, future::BoxFuture};
use luci_leads::store::old_uploads::{self, OldUploadsError};
use luci_providers::{Probes, ProviderName};
use luci_runs::{
    block::BlockKind,
    clock::{BlockRetries, Cleanup, Reactor, RunStarts},
    issue::Issuer,
    stored_objects::{ObjectCleanup, StoredObjectsError},
};
use luci_schema::{
    Stage,
    event::{RunPrices, StageSpec},
    log::Log,
};
use luci_storage::Storage;
use serde_json::Value;
use sqlx::PgConnection;

pub use crate::{
    kind::{Bound, StageKind, Tools},
    settings::BadSetting,
};

/// Every kind, in the order of the stages.
static KINDS: LazyLock<Vec<Arc<dyn StageKind>>> = LazyLock::new(|| {
    vec![
        Arc::new(import::Import::default()),
        Arc::new(validate::Validate),
        Arc::new(enrich::Enrich),
        Arc::new(skip_trace::SkipTrace),
        Arc::new(score::Score),
        Arc::new(assign::Assign),
        Arc::new(push::Push),
    ]
});

/// The kinds as the worker runs them.
pub fn bound(tools: &Tools) -> Vec<Arc<dyn BlockKind>> {
    let bind = |kind| Arc::new(Bound { kind, tools: tools.clone() }) as Arc<dyn BlockKind>;
    KINDS.iter().cloned().map(bind).collect()
}

/// What the clock runs. `probes` asks providers that blocks wait for.
pub fn reactors(issuer: &Issuer, log: &Log, storage: &Storage, probes: &Probes) -> Vec<Box<dyn Reactor>> {
    let probes = probes.clone();
    let probe = move |provider: Arc<str>| {
        let probes = probes.clone();
        async move { probes.answers(&provider).await }.boxed()
    };
    vec![
        Box::new(RunStarts::new(issuer.clone())),
        Box::new(BlockRetries::new(issuer.clone(), Arc::new(probe))),
        Box::new(automations::AutomationRuns::new(issuer.clone(), log.clone(), storage.clone())),
    ]
}

/// The clock's cleanup of provider uploads and batches that are no longer looked up.
pub const PROVIDER_UPLOADS: Cleanup =
    Cleanup { rows: "old provider uploads", delete: |c| luci_providers::delete_old_traces(c).boxed() };

/// The sweeper's removal of uploads whose URL has expired.
pub const OLD_UPLOADS: ObjectCleanup = ObjectCleanup { objects: "old uploads", remove: remove_old_uploads };

fn remove_old_uploads<'a>(
    c: &'a mut PgConnection,
    storage: &'a Storage,
) -> BoxFuture<'a, Result<u64, StoredObjectsError>> {
    let failed = |error| match error {
        OldUploadsError::Storage(error) => StoredObjectsError::from(error),
        OldUploadsError::Database(error) => error.into(),
    };
    old_uploads::remove(c, storage).map_err(failed).boxed()
}

fn of(stage: Stage) -> Option<&'static Arc<dyn StageKind>> {
    KINDS.iter().find(|kind| kind.stage() == stage)
}

/// Whether new leads come out of this stage.
fn makes_leads(stage: Stage) -> bool {
    of(stage).is_some_and(|kind| kind.makes_leads())
}

/// What is wrong with a blueprint's settings for a stage.
pub fn check(stage: Stage, config: &Value) -> Result<(), BadSetting> {
    of(stage).map_or(Ok(()), |kind| kind.check(config))
}

/// The providers that a stage cannot do without.
pub fn needs(spec: &StageSpec) -> Vec<ProviderName> {
    of(spec.stage).map_or_else(Vec::new, |kind| kind.needs(&spec.config))
}

/// The most micro-dollars that one lead can cost in a stage.
pub fn max_cost_per_lead(spec: &StageSpec, prices: &RunPrices) -> u64 {
    of(spec.stage).map_or(0, |kind| kind.max_cost_per_lead(&spec.config, prices))
}
