//! What is left of a run's failed leads, by the events of one block.

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
        input: BlockInput::Artifact { artifact_id: ArtifactId::generate(), object_path: String::new(), leads: 10 },
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

/// Leads by kind of source after these events.
fn left(events: &[Event]) -> Vec<(&'static str, u64)> {
    let mut history = History::default();
    events.iter().for_each(|event| history.fold(event));
    let kind = |source: &Source| match source {
        Source::Lines(artifact) if artifact.artifact_type == FAILED => FAILED,
        Source::Lines(_) => REJECTED,
        Source::Rest(_) => "rest",
    };
    history.sources().iter().map(|source| (kind(source), source.leads())).collect()
}

#[test]
fn what_a_retry_mends_is_left_no_more_and_what_was_refused_stays() {
    let id = BlockId::generate();
    let first = completed(id, report(5, vec![artifact(REJECTED, 2), artifact(FAILED, 3)]));
    assert_eq!(left(&[queued(id), first.clone()]), [(REJECTED, 2), (FAILED, 3)]);
    let some = completed(id, report(1, vec![artifact(FAILED, 1)]));
    assert_eq!(left(&[queued(id), first.clone(), queued(id), some.clone()]), [(REJECTED, 2), (FAILED, 1)]);
    let all = completed(id, report(0, Vec::new()));
    assert_eq!(left(&[queued(id), first, queued(id), some, queued(id), all]), [(REJECTED, 2)]);
}

#[test]
fn a_broken_block_leaves_what_it_gave_no_account_of() {
    let id = BlockId::generate();
    let broke = failed(id, report(7, vec![artifact("validated", 3), artifact(FAILED, 2), artifact(REJECTED, 1)]));
    let expected = [(FAILED, 2), (REJECTED, 1), ("rest", 4)];
    assert_eq!(left(&[queued(id), broke.clone()]), expected);
    let skipped = BlockSkipped { block_id: id, stage: Stage::Validate, block_number: 1, totals: RunTotals::default() };
    assert_eq!(left(&[queued(id), broke.clone(), BlockEvent::Skipped(skipped).into()]), expected, "given up");
    let mended = completed(id, report(0, Vec::new()));
    assert_eq!(left(&[queued(id), broke, queued(id), mended]), []);
}

#[test]
fn only_blocks_under_way_and_those_with_failed_leads_are_kept_in_mind() {
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
    // One that had gone from mind fails after all, when it is released again.
    history.fold(&queued(ids[5]));
    history.fold(&failed(ids[5], report(7, vec![artifact(FAILED, 7)])));
    assert_eq!(history.sources().len(), 8);
}
