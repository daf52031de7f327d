//! Seven stages without work: the engine's own cost of a run. One lead a run, one block a stage, no object written.

use std::sync::Arc;

use futures::future::BoxFuture;
use luci_runs::block::{BlockFault, BlockKind, Progress, Task};
use luci_schema::{
    Actor, BlueprintId, Counts, ImportId, RunId, Stage, TenantId,
    event::{Artifact, BlockQueued, BlockReport, RunInput, RunOptions, RunQueued, StageSpec, TriggerType},
};

struct Noop(Stage);

/// One kind a stage.
pub fn kinds() -> Vec<Arc<dyn BlockKind>> {
    Stage::ALL.into_iter().map(|stage| Arc::new(Noop(stage)) as Arc<dyn BlockKind>).collect()
}

impl BlockKind for Noop {
    fn stage(&self) -> Stage {
        self.0
    }

    fn provider(&self, _: &Task) -> String {
        "internal".to_owned()
    }

    fn calls_outside(&self) -> bool {
        false
    }

    fn run<'a>(&'a self, task: &'a Task, _: &'a Progress) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        Box::pin(async { Ok(report(task.tenant, task.run_id, &task.block)) })
    }
}

/// One lead in, one lead out.
pub fn report(tenant: TenantId, run: RunId, block: &BlockQueued) -> BlockReport {
    let artifact_type = block.stage.artifact_type();
    let artifact = Artifact {
        artifact_id: block.artifact_id,
        artifact_type: artifact_type.to_owned(),
        object_path: format!(
            "{tenant}/pipelines/{run}/artifacts/{artifact_type}_{}_{}.ndjson",
            block.unix, block.artifact_id
        ),
        mime_type: "application/x-ndjson".to_owned(),
        size_bytes: 512,
        checksum: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        leads: 1,
        parent_artifact_ids: Vec::new(),
    };
    BlockReport {
        counts: Counts { input: 1, success: 1, ..Counts::default() },
        failures: Default::default(),
        reasons: Default::default(),
        warnings: Default::default(),
        cost_micros: 0,
        score_sum: None,
        artifacts: vec![artifact],
        next: None,
    }
}

/// A run of one lead through the seven stages.
pub fn queued(run: RunId, at_once: u32) -> RunQueued {
    let import_id = ImportId::generate();
    let stages = Stage::ALL.map(|stage| StageSpec { name: stage.to_string(), stage, config: serde_json::json!({}) });
    RunQueued {
        pipeline_name: "luci_full".to_owned(),
        blueprint_id: BlueprintId::generate(),
        blueprint_version: 1,
        stages: stages.to_vec(),
        input: RunInput::Import {
            import_id,
            object_path: "bench".to_owned(),
            size_bytes: 512,
            rows: 1,
            checksum: None,
        },
        root_input_id: import_id.to_string(),
        root_run_id: run,
        sector_id: None,
        sector_name: None,
        total_leads: 1,
        options: RunOptions::default(),
        active_runs: at_once,
        triggered_by: Actor::System,
        trigger_type: TriggerType::Manual,
        parent_run_id: None,
        replayed_from_run_id: None,
        budget_micros: None,
        prices: Default::default(),
    }
}
