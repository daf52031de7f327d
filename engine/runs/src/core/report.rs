//! A worker's report checked against the block's input: no lead may be lost or invented.

use luci_schema::{
    Counts, Failure, Stage,
    event::{Artifact, BlockInput, BlockReport, RunOptions},
};

use crate::core::{Refusal, state::Block};

/// The artifact of a block's failed leads.
const FAILED: &str = "failed";

/// The output artifact, as input of the next stage; `None` when it is empty.
pub(super) fn output(stage: Stage, report: &BlockReport) -> Option<BlockInput> {
    (report.counts.output() > 0).then(|| of_type(report, stage.artifact_type()).next().map(as_input)).flatten()
}

/// The failed leads that can be retried; rows that were rejected for good are not in the `failed` artifact.
pub(super) fn failed_leads(report: &BlockReport) -> Option<BlockInput> {
    of_type(report, FAILED).next().filter(|artifact| artifact.leads > 0).map(as_input)
}

fn of_type<'a>(report: &'a BlockReport, kind: &'a str) -> impl Iterator<Item = &'a Artifact> {
    report.artifacts.iter().filter(move |artifact| artifact.artifact_type == kind)
}

fn as_input(artifact: &Artifact) -> BlockInput {
    BlockInput::Artifact {
        artifact_id: artifact.artifact_id,
        object_path: artifact.object_path.clone(),
        leads: artifact.leads,
        digest: Some(artifact.digest()),
    }
}

/// Counts over all attempts of the block, the current attempt's being `counts`: retried leads leave `failed`.
pub(super) fn merge(block: &Block, counts: Counts) -> Counts {
    let before = block.merged;
    if before.input == 0 {
        return counts;
    }
    Counts {
        input: before.input,
        success: before.success + counts.success,
        no_match: before.no_match + counts.no_match,
        failed: before.failed.saturating_sub(counts.input) + counts.failed,
        skipped: before.skipped + counts.skipped,
    }
}

/// `sum` with a block's earlier counts replaced by its current ones; `None` when the earlier ones are not part of it.
pub(super) fn replaced(mut sum: Counts, before: Counts, after: Counts) -> Option<Counts> {
    sum += after;
    Some(Counts {
        input: sum.input.checked_sub(before.input)?,
        success: sum.success.checked_sub(before.success)?,
        no_match: sum.no_match.checked_sub(before.no_match)?,
        failed: sum.failed.checked_sub(before.failed)?,
        skipped: sum.skipped.checked_sub(before.skipped)?,
    })
}

/// Checks that a completion accounts for every input lead, and its artifacts for every output lead.
pub(super) fn check(block: &Block, options: &RunOptions, report: &BlockReport) -> Result<(), Refusal> {
    let counts = report.counts;
    if !counts.balanced() {
        return Err(invalid(format!("counts do not balance: {counts:?}")));
    }
    check_input(block, options, report)?;
    check_output(block.stage, report)?;
    let failed: Vec<u64> = of_type(report, FAILED).map(|artifact| artifact.leads).collect();
    if failed.len() > 1 || failed.iter().any(|leads| *leads > counts.failed) {
        return Err(invalid(format!("{} leads failed, the failed artifacts hold {failed:?}", counts.failed)));
    }
    Ok(())
}

fn check_input(block: &Block, options: &RunOptions, report: &BlockReport) -> Result<(), Refusal> {
    let input = report.counts.input;
    match &block.input {
        BlockInput::Artifact { leads, .. } if *leads != input => {
            Err(invalid(format!("the block has {leads} leads, its report accounts for {input}")))
        }
        BlockInput::Artifact { .. } if report.next.is_some() => {
            Err(invalid("only an IMPORT block reports where the next one starts".into()))
        }
        BlockInput::Source { .. } if input > u64::from(options.block_size) => {
            Err(invalid(format!("{input} leads were read, blockSize is {}", options.block_size)))
        }
        BlockInput::Source { cursor } if report.next.as_ref() == Some(cursor) => {
            Err(invalid("the next block would start where this one started".into()))
        }
        BlockInput::Artifact { .. } | BlockInput::Source { .. } => Ok(()),
    }
}

fn check_output(stage: Stage, report: &BlockReport) -> Result<(), Refusal> {
    let leads: Vec<u64> = of_type(report, stage.artifact_type()).map(|artifact| artifact.leads).collect();
    let output = report.counts.output();
    match leads.as_slice() {
        [] if output == 0 => Ok(()),
        [leads] if *leads == output => Ok(()),
        _ => Err(invalid(format!(
            "the output is {output} leads, the {} artifacts hold {leads:?}",
            stage.artifact_type()
        ))),
    }
}

/// Completes a failed block's report: leads it does not mention failed with the block's own code. Work counts as done only
/// when an artifact holds it. `unread`: leads of the source that no block has read.
pub(super) fn account(
    block: &Block,
    options: &RunOptions,
    unread: u64,
    failure: &Failure,
    report: &BlockReport,
) -> Result<BlockReport, Refusal> {
    let mut report = report.clone();
    let done = if check_output(block.stage, &report).is_ok() { report.counts } else { Counts::default() };
    if done.output() == 0 {
        report.artifacts.retain(|artifact| artifact.artifact_type != block.stage.artifact_type());
    }
    let input = match block.leads() {
        Some(leads) => leads,
        None if report.counts.input > 0 => report.counts.input,
        None => unread.min(u64::from(options.block_size)),
    };
    let missing = input
        .checked_sub(done.processed() + done.skipped)
        .ok_or_else(|| invalid(format!("the block has {input} leads, its report accounts for more: {done:?}")))?;
    report.counts = Counts { input, failed: done.failed + missing, ..done };
    let named: u64 = report.failures.values().sum();
    if let Some(unnamed) = report.counts.failed.checked_sub(named).filter(|leads| *leads > 0) {
        *report.failures.entry(failure.code).or_default() += unnamed;
    }
    check_input(block, options, &report)?;
    Ok(report)
}

fn invalid(why: String) -> Refusal {
    Refusal::Invalid(why)
}
