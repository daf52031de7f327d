//! A block kind: all that the engine knows of one stage. The list of kinds is in `lib.rs`.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use luci_providers::{LookupContext, ProviderName, Providers};
use luci_runs::block::{BlockFault, BlockKind, Progress, Task};
use luci_schema::{
    Stage,
    event::{BlockReport, RunPrices},
    log::Log,
};
use luci_storage::Storage;
use serde_json::Value;
use sqlx::PgPool;

use crate::settings::BadSetting;

/// The store's state may be this old when a block begins.
const STORE_CHECK_AGE: Duration = Duration::from_secs(3);

/// What every kind may use.
#[derive(Clone)]
pub struct Tools {
    /// Role `luci_engine`.
    pub pool: PgPool,
    pub log: Log,
    pub storage: Storage,
    pub providers: Arc<Providers>,
}

/// One stage. A new kind implements this in one file and is added to the list.
pub trait StageKind: Send + Sync {
    fn stage(&self) -> Stage;

    /// `internal`, or the outside provider that this task calls.
    fn provider(&self, _task: &Task) -> String {
        "internal".into()
    }

    /// Whether the work calls outside LUCI: then `block:started` is recorded, and older attempts fenced, before it begins.
    fn calls_outside(&self) -> bool {
        false
    }

    /// The providers that it cannot do without, by these settings: a run does not start while one has no key.
    fn needs(&self, _config: &Value) -> Vec<ProviderName> {
        Vec::new()
    }

    /// Whether new leads come out of it: automations may wait for them.
    fn makes_leads(&self) -> bool {
        false
    }

    /// What is wrong with a blueprint's settings for the stage. The one check: at publish, at start, and when a block reads them.
    fn check(&self, config: &Value) -> Result<(), BadSetting>;

    /// The most micro-dollars that one lead can cost: what a budget holds back before the lead is looked up.
    fn max_cost_per_lead(&self, _config: &Value, _prices: &RunPrices) -> u64 {
        0
    }

    /// Does the work. Called again with the same task after a crash: writes must be repeatable.
    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>>;
}

/// A kind with its tools, as the worker runs it.
pub struct Bound {
    pub kind: Arc<dyn StageKind>,
    pub tools: Tools,
}

impl BlockKind for Bound {
    fn stage(&self) -> Stage {
        self.kind.stage()
    }

    fn provider(&self, task: &Task) -> String {
        self.kind.provider(task)
    }

    fn calls_outside(&self) -> bool {
        self.kind.calls_outside()
    }

    fn ready(&self) -> BoxFuture<'_, bool> {
        async { self.tools.storage.health(STORE_CHECK_AGE).await.is_ok() }.boxed()
    }

    fn run<'a>(&'a self, task: &'a Task, progress: &'a Progress) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        self.kind.run(task, &self.tools, progress)
    }
}

/// On whose behalf this block calls providers.
pub fn lookup_context(task: &Task) -> LookupContext<'_> {
    LookupContext {
        tenant: task.tenant,
        root_run: task.run.root_run_id,
        release: task.block.artifact_id,
        prices: &task.run.prices,
        stop: &task.stop,
    }
}
