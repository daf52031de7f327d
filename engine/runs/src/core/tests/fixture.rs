//! Fixtures: a queued run, and results of blocks.

use luci_schema::{
    Actor, ArtifactId, BlueprintId, Counts, ImportId, RunId, Stage,
    event::{Artifact, BlockQueued, RunInput, RunOptions, RunQueued, StageSpec, TriggerType},
};
use ulid::Ulid;

/// The result of a block: its leads are distributed over the outcomes by these weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deal {
    pub success: u64,
    pub no_match: u64,
    pub failed: u64,
    pub skipped: u64,
}

pub const GOOD: Deal = Deal { success: 1, no_match: 0, failed: 0, skipped: 0 };
pub const MIXED: Deal = Deal { success: 2, no_match: 1, failed: 1, skipped: 1 };
pub const BAD: Deal = Deal { success: 0, no_match: 0, failed: 1, skipped: 0 };

impl Deal {
    pub fn counts(&self, input: u64) -> Counts {
        let all = self.success + self.no_match + self.failed + self.skipped;
        let share = |part: u64| input * part / all.max(1);
        let (no_match, failed, skipped) = (share(self.no_match), share(self.failed), share(self.skipped));
        Counts { input, success: input - no_match - failed - skipped, no_match, failed, skipped }
    }
}

pub fn queued(stages: &[Stage], total_leads: u64, block_size: u32, window: u32) -> RunQueued {
    let import_id = ImportId::from_ulid(Ulid(7));
    RunQueued {
        pipeline_name: "luci_full".into(),
        blueprint_id: BlueprintId::from_ulid(Ulid(1)),
        blueprint_version: 1,
        stages: stages
            .iter()
            .map(|stage| StageSpec { name: stage.to_string(), stage: *stage, config: serde_json::json!({}) })
            .collect(),
        input: RunInput::Import {
            import_id,
            object_path: "t/imports/x.csv".into(),
            size_bytes: total_leads * 10,
            rows: total_leads,
            checksum: None,
        },
        root_input_id: import_id.to_string(),
        root_run_id: RunId::from_ulid(Ulid(3)),
        sector_id: None,
        sector_name: None,
        total_leads,
        options: RunOptions { block_size, window, ..RunOptions::default() },
        active_runs: 4,
        triggered_by: Actor::System,
        trigger_type: TriggerType::Manual,
        parent_run_id: None,
        replayed_from_run_id: None,
        budget_micros: None,
        prices: Default::default(),
    }
}

pub fn artifact(queued: &BlockQueued, kind: &str, nth: u128, leads: u64) -> Artifact {
    let artifact_id = ArtifactId::from_ulid(Ulid(queued.artifact_id.ulid().0 ^ nth));
    Artifact {
        artifact_id,
        artifact_type: kind.into(),
        object_path: format!("t/{kind}_{artifact_id}.ndjson"),
        mime_type: "application/x-ndjson".into(),
        size_bytes: leads * 100,
        checksum: "00".into(),
        leads,
        parent_artifact_ids: vec![],
    }
}
