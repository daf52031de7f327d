//! Block kinds that output ten leads after an action given by the test.

use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt as _};
use luci_runs::block::{BlockFault, BlockKind, Progress, Task};
use luci_schema::{
    Counts, RunId, Stage,
    event::{Artifact, BlockReport},
};
use tokio::sync::Semaphore;

/// The stages of the tests' runs: two internal ones and one that calls a provider.
pub const STAGES: [Stage; 3] = [Stage::Import, Stage::Validate, Stage::Enrich];

/// What a kind does before it reports; it gets the number of earlier calls.
pub type Act = Arc<dyn Fn(Called) -> BoxFuture<'static, Result<(), BlockFault>> + Send + Sync>;

/// One call of a kind.
pub struct Called {
    pub run: RunId,
    pub stage: Stage,
    /// Calls of this stage before this one, of all runs.
    pub before: usize,
    pub stop: tokio_util::sync::CancellationToken,
}

struct Kind {
    stage: Stage,
    calls: Arc<Mutex<Vec<Stage>>>,
    act: Act,
}

/// One kind a stage, sharing the list of calls.
pub fn kinds(calls: &Arc<Mutex<Vec<Stage>>>, act: &Act) -> Vec<Arc<dyn BlockKind>> {
    let kind = |stage| Arc::new(Kind { stage, calls: Arc::clone(calls), act: Arc::clone(act) }) as Arc<dyn BlockKind>;
    STAGES.map(kind).into()
}

/// Kinds that do nothing but output their leads.
pub fn passing() -> Vec<Arc<dyn BlockKind>> {
    acting(|_| async { Ok(()) }.boxed())
}

pub fn acting(
    act: impl Fn(Called) -> BoxFuture<'static, Result<(), BlockFault>> + Send + Sync + 'static,
) -> Vec<Arc<dyn BlockKind>> {
    let act: Act = Arc::new(act);
    kinds(&Arc::default(), &act)
}

/// An action that waits at one stage for a permit of the gate, one for each call.
pub fn gated(at: Stage) -> (Arc<Semaphore>, Act) {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let act: Act = Arc::new(move |called| {
        let gate = Arc::clone(&waiting);
        async move {
            if called.stage == at {
                gate.acquire().await.expect("open").forget();
            }
            Ok(())
        }
        .boxed()
    });
    (gate, act)
}

impl BlockKind for Kind {
    fn stage(&self) -> Stage {
        self.stage
    }

    fn provider(&self, _: &Task) -> String {
        "internal".into()
    }

    fn calls_outside(&self) -> bool {
        self.stage == Stage::Enrich
    }

    fn run<'a>(&'a self, task: &'a Task, progress: &'a Progress) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        let before = {
            let mut calls = self.calls.lock().expect("no test panics with it");
            calls.push(self.stage);
            calls.iter().filter(|s| **s == self.stage).count() - 1
        };
        async move {
            (self.act)(Called { run: task.run_id, stage: self.stage, before, stop: task.stop.clone() }).await?;
            progress.set(10, 10);
            Ok(report(task))
        }
        .boxed()
    }
}

fn report(task: &Task) -> BlockReport {
    let artifact = Artifact {
        artifact_id: task.block.artifact_id,
        artifact_type: task.block.stage.artifact_type().into(),
        object_path: format!("{}/{}", task.run_id, task.block.artifact_id),
        mime_type: "application/x-ndjson".into(),
        size_bytes: 0,
        checksum: String::new(),
        leads: 10,
        parent_artifact_ids: Vec::new(),
    };
    BlockReport {
        counts: Counts { input: 10, success: 10, ..Counts::default() },
        failures: Default::default(),
        reasons: Default::default(),
        warnings: Default::default(),
        cost_micros: 0,
        score_sum: None,
        artifacts: vec![artifact],
        next: None,
    }
}
