//! What was recorded of the object that a run reads: size and SHA-256. Runs queued by older releases do not name them.

use luci_leads::store::imports;
use luci_runs::block::{BlockFault, Task};
use luci_schema::{
    ArtifactId, FailureCode, ImportId, RunId,
    event::{ObjectDigest, RunInput},
};

use crate::{import::earlier, kind::Tools, outcome::database_failed};

/// Of the run's import or artifact.
///
/// # Errors
/// `Integrity` when nothing was recorded: then nothing can be verified.
pub(super) async fn digest(task: &Task, tools: &Tools) -> Result<ObjectDigest, BlockFault> {
    let found = match &task.run.input {
        RunInput::Import { size_bytes, checksum: Some(checksum), .. } => {
            Some(ObjectDigest { size_bytes: *size_bytes, checksum: checksum.clone() })
        }
        RunInput::Leads { digest: Some(digest), .. } | RunInput::Artifact { digest: Some(digest), .. } => {
            Some(digest.clone())
        }
        RunInput::Import { import_id, .. } | RunInput::Leads { import_id, .. } => {
            of_import(task, tools, *import_id).await?
        }
        RunInput::Artifact { run_id, artifact_id, .. } => of_artifact(task, tools, *run_id, *artifact_id).await?,
        RunInput::Sector { .. } | RunInput::Artifacts { .. } => None,
    };
    found.ok_or_else(|| {
        BlockFault::new(FailureCode::Integrity, "nothing was recorded of the content of the run's input")
    })
}

async fn of_import(task: &Task, tools: &Tools, id: ImportId) -> Result<Option<ObjectDigest>, BlockFault> {
    let mut c = tools.pool.acquire().await.map_err(database_failed)?;
    let import = imports::get(&mut c, task.tenant, id).await.map_err(database_failed)?;
    Ok(import.and_then(|import| Some(ObjectDigest { size_bytes: import.size_bytes?, checksum: import.checksum? })))
}

async fn of_artifact(
    task: &Task,
    tools: &Tools,
    run: RunId,
    id: ArtifactId,
) -> Result<Option<ObjectDigest>, BlockFault> {
    let mut after = luci_schema::Version(0);
    loop {
        let page = earlier::history(task, tools, run, after).await?;
        let mut made = page.iter().flat_map(|event| event.event.artifacts());
        if let Some(artifact) = made.find(|artifact| artifact.artifact_id == id) {
            return Ok(Some(artifact.digest()));
        }
        match page.last() {
            Some(event) if page.len() == earlier::PAGE => after = event.version,
            _ => return Ok(None),
        }
    }
}
