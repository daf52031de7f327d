//! Reads leads from artifacts: those that an earlier run recorded for a stage, in the order of its history, or one object.

use futures::TryStreamExt;
use luci_runs::block::{BlockFault, Task};
use luci_schema::{
    BlockEvent, BlockId, Event, Recorded, RunId, Stage, Version,
    event::{Artifact, Cursor, ObjectDigest},
};

use crate::{
    kind::Tools,
    outcome::{Outcome, retryable, storage_failed},
    stage_outputs::output,
};

/// Events read at once.
pub(super) const PAGE: usize = 500;

/// In the cursor, `line` is the version up to which the other run's history is processed, `offset` the lines read of the
/// artifact after it.
pub(super) async fn read(
    task: &Task,
    tools: &Tools,
    source: (RunId, Stage),
    cursor: &Cursor,
    outcome: &mut Outcome<'_>,
) -> Result<Option<Cursor>, BlockFault> {
    let mut at = cursor.clone();
    let last = cursor.rows + u64::from(task.run.options.block_size);
    loop {
        let page = history(task, tools, source.0, Version(at.line)).await?;
        for event in &page {
            let Some(artifact) = leads_of(task, tools, source, event).await? else {
                at.line = event.version.0;
                continue;
            };
            if at.rows == last {
                return Ok(Some(at));
            }
            at.after = Some(artifact.artifact_id.to_string());
            let object = (artifact.object_path.as_str(), &artifact.digest());
            if !lines(tools, object, last, &mut at, outcome).await? {
                return Ok(Some(at));
            }
            at.line = event.version.0;
            at.offset = 0;
        }
        if page.len() < PAGE {
            return Ok(None);
        }
    }
}

/// Reads one object; in the cursor, `offset` counts its lines.
pub(super) async fn read_one(
    task: &Task,
    tools: &Tools,
    object: (&str, &ObjectDigest),
    cursor: &Cursor,
    outcome: &mut Outcome<'_>,
) -> Result<Option<Cursor>, BlockFault> {
    let mut at = cursor.clone();
    let last = cursor.rows + u64::from(task.run.options.block_size);
    let ended = lines(tools, object, last, &mut at, outcome).await?;
    Ok((!ended).then_some(at))
}

/// Copies lines until the block is full; `true` at the end of the artifact.
async fn lines(
    tools: &Tools,
    (object_path, digest): (&str, &ObjectDigest),
    last: u64,
    at: &mut Cursor,
    outcome: &mut Outcome<'_>,
) -> Result<bool, BlockFault> {
    let mut lines = tools.storage.verified_lines(object_path, digest);
    let mut seen = 0;
    while let Some(line) = lines.try_next().await.map_err(storage_failed)? {
        seen += 1;
        if seen <= at.offset {
            continue;
        }
        if at.rows == last {
            return Ok(false);
        }
        outcome.success_line(&line).await?;
        at.offset += 1;
        at.rows += 1;
    }
    Ok(true)
}

/// The output of this event's block, if it is of the stage: of a completed block its output, of a skipped one what its last
/// failed attempt had written.
async fn leads_of(
    task: &Task,
    tools: &Tools,
    (run, stage): (RunId, Stage),
    event: &Recorded,
) -> Result<Option<Artifact>, BlockFault> {
    match &event.event {
        Event::Block(BlockEvent::Completed(e)) if e.stage == stage => Ok(output(&e.report, stage)),
        Event::Block(BlockEvent::Skipped(e)) if e.stage == stage => {
            output_before_failure(task, tools, run, stage, e.block_id).await
        }
        Event::Run(_) | Event::Block(_) | Event::Artifact(_) | Event::Config(_) | Event::Unknown(_) => Ok(None),
    }
}

/// The output of a block's last failed attempt. Rare, so the history is read again.
async fn output_before_failure(
    task: &Task,
    tools: &Tools,
    run: RunId,
    stage: Stage,
    block: BlockId,
) -> Result<Option<Artifact>, BlockFault> {
    let (mut after, mut found) = (Version(0), None);
    loop {
        let page = history(task, tools, run, after).await?;
        for event in &page {
            if let Event::Block(BlockEvent::Failed(e)) = &event.event
                && e.block_id == block
            {
                found = output(&e.report, stage);
            }
        }
        match page.last() {
            Some(event) if page.len() == PAGE => after = event.version,
            _ => return Ok(found),
        }
    }
}

/// At most `PAGE` events of a run.
pub(super) async fn history(
    task: &Task,
    tools: &Tools,
    run: RunId,
    after: Version,
) -> Result<Vec<std::sync::Arc<Recorded>>, BlockFault> {
    let events = tools.log.read_stream(task.tenant, run.into(), after, PAGE).await;
    events.map_err(|error| retryable("reading the log failed", &error))
}
