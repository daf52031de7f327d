//! Artifacts of events: each is a new row, and may supersede an older one of the same block and type.

use luci_schema::{ArtifactId, Recorded, event::Artifact as Created};
use sqlx::PgConnection;

use super::{Artifact, table};
use crate::{
    fold::{Fold, TableFuture},
    fold_error::FoldError,
    run_state::{RunChange, RunState, created_by},
};

impl Artifact {
    fn created(change: &RunChange<'_>, version: i32, r: &Recorded, made: &Created) -> Self {
        let mut metadata = serde_json::json!({ "leads": made.leads });
        if let Some(stage) = r.event.stage() {
            metadata["stage"] = stage.as_str().into();
        }
        Self {
            artifact_id: made.artifact_id,
            tenant_id: r.tenant_id,
            run_id: change.run.run_id,
            block_id: change.block.map(|block| block.block_id),
            artifact_type: made.artifact_type.clone(),
            object_path: made.object_path.clone(),
            mime_type: made.mime_type.clone(),
            size_bytes: made.size_bytes,
            checksum: made.checksum.clone(),
            version,
            superseded_by: None,
            parent_artifact_ids: made.parent_artifact_ids.clone(),
            metadata,
            created_at: r.recorded_at.date_time(),
            expired_at: None,
        }
    }
}

/// What the current batch brought; rows of earlier batches are not needed again.
#[derive(Debug, Default)]
pub(crate) struct ArtifactFold {
    pub(crate) created: Vec<Artifact>,
    /// Older and newer artifact.
    pub(crate) superseded: Vec<(ArtifactId, ArtifactId)>,
}

impl Fold for ArtifactFold {
    fn apply(&mut self, event: &Recorded, run: Option<&RunChange<'_>>) -> Result<(), FoldError> {
        let Some(change) = run else { return Ok(()) };
        for (made, version) in created_by(&event.event).iter().zip(change.versions) {
            self.created.push(Artifact::created(change, version.number, event, made));
            self.superseded.extend(version.supersedes.map(|older| (older, made.artifact_id)));
        }
        Ok(())
    }

    fn write<'a>(&'a self, c: &'a mut PgConnection, _runs: &'a RunState) -> TableFuture<'a> {
        Box::pin(async move {
            if !self.created.is_empty() {
                table::write(c, &self.created).await?;
            }
            if self.superseded.is_empty() { Ok(()) } else { table::supersede(c, &self.superseded).await }
        })
    }

    fn settle(&mut self) {
        self.created.clear();
        self.superseded.clear();
    }
}
