//! What a stage of an earlier run put out, as its events say: the input of a run that starts at the next stage.

use std::collections::HashMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use luci_schema::{
    BlockEvent, BlockId, Event, RunId, Stage, TenantId, Version,
    event::{Artifact, BlockReport, ObjectDigest, RunInput},
    log::{Log, LogError},
};
use luci_storage::{Storage, StorageError};

/// Events read at once.
const PAGE: usize = 500;
/// Objects whose sizes are compared when a run starts on them; the blocks that read them compare all.
const COMPARED: usize = 2_000;
const CONCURRENCY: usize = 16;

/// Why a run cannot start on the output of an earlier one.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("the run's events name {recorded} leads of stage {stage}, its artifacts hold {found}")]
    Contradiction { stage: Stage, recorded: u64, found: u64 },
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Compares the input of a run that is to be queued with what was recorded of it: the number of leads, and the sizes of its
/// objects. What an older release did not record is not compared.
pub async fn check(
    log: &Log,
    storage: &Storage,
    tenant: TenantId,
    input: &RunInput,
    total_leads: u64,
) -> Result<(), InputError> {
    let one = |path: &str, digest: Option<ObjectDigest>| digest.map(|digest| (path.to_owned(), digest));
    let objects: Vec<(String, ObjectDigest)> = match input {
        RunInput::Import { object_path, size_bytes, checksum, .. } => {
            let digest = |checksum: &String| ObjectDigest { size_bytes: *size_bytes, checksum: checksum.clone() };
            one(object_path, checksum.as_ref().map(digest)).into_iter().collect()
        }
        RunInput::Leads { object_path, digest, .. } | RunInput::Artifact { object_path, digest, .. } => {
            one(object_path, digest.clone()).into_iter().collect()
        }
        RunInput::Sector { .. } => Vec::new(),
        RunInput::Artifacts { run_id, stage } => {
            let artifacts = of(log, tenant, *run_id, *stage).await?;
            let found = artifacts.iter().map(|artifact| artifact.leads).sum();
            if found != total_leads {
                return Err(InputError::Contradiction { stage: *stage, recorded: total_leads, found });
            }
            artifacts.into_iter().map(|artifact| (artifact.object_path.clone(), artifact.digest())).collect()
        }
    };
    check_sizes(storage, objects).await
}

/// Compares the sizes of objects with what was recorded.
pub async fn check_sizes(
    storage: &Storage,
    objects: impl IntoIterator<Item = (String, ObjectDigest)>,
) -> Result<(), InputError> {
    let checks = stream::iter(objects.into_iter().take(COMPARED))
        .map(|(path, digest)| async move { storage.verify_size(&path, &digest).await });
    checks.buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
    Ok(())
}

/// The output of a stage's completed blocks, in the order of their completion, and of skipped ones what their last failed
/// attempt had written.
async fn of(log: &Log, tenant: TenantId, run: RunId, stage: Stage) -> Result<Vec<Artifact>, LogError> {
    let (mut outputs, mut after) = (Vec::new(), Version(0));
    let mut before_failure: HashMap<BlockId, Option<Artifact>> = HashMap::new();
    loop {
        let page = log.read_stream(tenant, run.into(), after, PAGE).await?;
        for recorded in &page {
            match &recorded.event {
                Event::Block(BlockEvent::Completed(e)) if e.stage == stage => outputs.extend(output(&e.report, stage)),
                Event::Block(BlockEvent::Failed(e)) if e.stage == stage => {
                    before_failure.insert(e.block_id, output(&e.report, stage));
                }
                Event::Block(BlockEvent::Skipped(e)) if e.stage == stage => {
                    outputs.extend(before_failure.remove(&e.block_id).flatten());
                }
                Event::Run(_) | Event::Block(_) | Event::Artifact(_) | Event::Config(_) | Event::Unknown(_) => {}
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = last.version,
            _ => return Ok(outputs),
        }
    }
}

/// The output artifact that a block reported.
pub(crate) fn output(report: &BlockReport, stage: Stage) -> Option<Artifact> {
    report.artifacts.iter().find(|a| a.artifact_type == stage.artifact_type() && a.leads > 0).cloned()
}
