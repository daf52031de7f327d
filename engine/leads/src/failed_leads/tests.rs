//! Which failed leads remain after the events of a block.

use std::collections::BTreeMap;

use luci_schema::{
    ArtifactId, Counts, FailureCode, Micros, Stage,
    event::{BlockCompleted, BlockFailed, BlockQueued, BlockSkipped, RunTotals},
};

use super::*;

fn artifact(kind: &str, leads: u64) -> Artifact {
    Artifact {
        artifact_id: ArtifactId::generate(),
        artifact_type: kind.into(),
        object_path: String::new(),
        mime_type: String::new(),
        size_bytes: 0,
        checksum: String::new(),
        leads,
        parent_artifact_ids: Vec::new(),
    }
}

fn report(failed: u64, artifacts: Vec<Artifact>) -> BlockReport {
    BlockReport {
        counts: Counts { input: 10, success: 10 - failed, failed, ..Counts::default() },
        failures: BTreeMap::new(),
        reasons: BTreeMap::new(),
        warnings: BTreeMap::new(),
        cost_micros: 0,
        score_sum: None,
        artifacts,
        next: None,
    }
}

fn queued(block_id: BlockId) -> Event {
    let event = BlockQueued {
        block_id,
        stage: Stage::Validate,
        block_number: 1,
        sequence: 1,
        total_blocks: None,
        attempt: 0,
        retry_count: 0,
        retry_of: None,
        input: BlockInput::Artifact {
            artifact_id: ArtifactId::generate(),
            object_path: String::new(),
            leads: 10,
            digest: None,
        },
        artifact_id: ArtifactId::generate(),
        unix: 0,
    };
    BlockEvent::Queued(Box::new(event)).into()
}

fn completed(block_id: BlockId, report: BlockReport) -> Event {
    let event = BlockCompleted {
        block_id,
        stage: Stage::Validate,
        block_number: 1,
        attempt: 1,
        provider: String::new(),
        started_at_micros: Micros(1),
        merged: report.counts,
        report,
        totals: RunTotals::default(),
    };
    BlockEvent::Completed(Box::new(event)).into()
}

fn failed(block_id: BlockId, report: BlockReport) -> Event {
    let event = BlockFailed {
        block_id,
        stage: Stage::Validate,
        block_number: 1,
        attempt: 1,
        provider: String::new(),
        started_at_micros: Micros(1),
        failure: Failure::new(FailureCode::Auth, "the key was revoked"),
        report,
        totals: RunTotals::default(),
        retry_at_micros: None,
    };
    BlockEvent::Failed(Box::new(event)).into()
}

/// The number of leads by kind of source after these events.
fn remaining(events: &[Event]) -> Vec<(&'static str, u64)> {
    let mut history = History::default();
    events.iter().for_each(|event| history.fold(event));
    let kind = |source: &FailedLeadSource| match source {
        FailedLeadSource::Artifact(artifact) if artifact.artifact_type == FAILED => FAILED,
        FailedLeadSource::Artifact(_) => REJECTED,
        FailedLeadSource::Unaccounted(_) => "rest",
    };
    history.sources().iter().map(|source| (kind(source), source.leads())).collect()
}

#[test]
fn leads_that_succeed_in_a_retry_are_removed_and_rejected_ones_stay() {
    let id = BlockId::generate();
    let first = completed(id, report(5, vec![artifact(REJECTED, 2), artifact(FAILED, 3)]));
    assert_eq!(remaining(&[queued(id), first.clone()]), [(REJECTED, 2), (FAILED, 3)]);
    let some = completed(id, report(1, vec![artifact(FAILED, 1)]));
    assert_eq!(remaining(&[queued(id), first.clone(), queued(id), some.clone()]), [(REJECTED, 2), (FAILED, 1)]);
    let all = completed(id, report(0, Vec::new()));
    assert_eq!(remaining(&[queued(id), first, queued(id), some, queued(id), all]), [(REJECTED, 2)]);
}

#[test]
fn a_failed_block_leaves_the_leads_of_its_input_that_it_did_not_write() {
    let id = BlockId::generate();
    let block_failed =
        failed(id, report(7, vec![artifact("validated", 3), artifact(FAILED, 2), artifact(REJECTED, 1)]));
    let expected = [(FAILED, 2), (REJECTED, 1), ("rest", 4)];
    assert_eq!(remaining(&[queued(id), block_failed.clone()]), expected);
    let skipped = BlockSkipped { block_id: id, stage: Stage::Validate, block_number: 1, totals: RunTotals::default() };
    assert_eq!(
        remaining(&[queued(id), block_failed.clone(), BlockEvent::Skipped(skipped).into()]),
        expected,
        "after the block is skipped"
    );
    let retried = completed(id, report(0, Vec::new()));
    assert_eq!(remaining(&[queued(id), block_failed, queued(id), retried]), []);
}

#[test]
fn only_running_blocks_and_blocks_with_failed_leads_are_kept() {
    let mut history = History::default();
    let ids: Vec<BlockId> = (0..4_000).map(|_| BlockId::generate()).collect();
    for (n, id) in ids.iter().enumerate() {
        history.fold(&queued(*id));
        match n {
            0..3_990 => history.fold(&completed(*id, report(0, Vec::new()))),
            3_990..3_997 => history.fold(&completed(*id, report(1, vec![artifact(FAILED, 1)]))),
            _ => {}
        }
    }
    assert_eq!((history.blocks.len(), history.sources().len()), (10, 7));
    // A block that was dropped is retried and fails.
    history.fold(&queued(ids[5]));
    history.fold(&failed(ids[5], report(7, vec![artifact(FAILED, 7)])));
    assert_eq!(history.sources().len(), 8);
}
