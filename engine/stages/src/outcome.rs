//! A block's report: each lead is counted once and written to the output, failed or rejected artifact.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use luci_leads::{
    Lead,
    lead::line::{self, FailedLine},
    store,
};
use luci_providers::{ProviderName, Reason};
use luci_runs::block::{BlockFault, Task};
use luci_schema::{
    ArtifactId, Counts, Failure, FailureCode, LeadId, Stage, TenantId,
    event::{BlockInput, BlockReport},
};
use luci_storage::{ArtifactWriter, StorageError};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{kind::Tools, settings::BadSetting};

/// Capacity reserved for a block's leads, whatever count the block claims.
const MAX_RESERVED: usize = 1_000;

/// The leads of the block's input: none of them is used unless the object is what was recorded.
pub(super) async fn leads(task: &Task, tools: &Tools) -> Result<Vec<Lead>, BlockFault> {
    let BlockInput::Artifact { object_path, leads: expected, digest, .. } = &task.block.input else {
        return Err(BlockFault::new(FailureCode::Internal, "this stage reads an artifact, not a source"));
    };
    let digest = digest.as_ref().ok_or_else(|| {
        BlockFault::new(FailureCode::Internal, format!("nothing was recorded of the content of object {object_path}"))
    })?;
    let mut lines = tools.storage.verified_lines(object_path, digest);
    let mut leads = Vec::with_capacity(usize::try_from(*expected).unwrap_or(0).min(MAX_RESERVED));
    while let Some(text) = lines.try_next().await.map_err(storage_failed)? {
        let lead = line::read(&text);
        // The line is personal data: the message names only its number.
        let lead = lead.map_err(|error| {
            let message =
                format!("line {} of the input artifact is not a lead (column {})", leads.len() + 1, error.column());
            BlockFault::new(FailureCode::Internal, message)
        });
        leads.push(lead?);
    }
    Ok(leads)
}

/// The failure of a block whose settings are invalid.
pub(super) fn bad_setting(task: &Task, bad: &BadSetting) -> BlockFault {
    BlockFault::new(FailureCode::Validation, format!("settings of stage {}: {bad}", task.spec.name))
}

/// Whether ASSIGN comes after this stage: it stores its leads with everything that earlier stages added, so that these need
/// not. Until then the additions are in the artifacts and in the stored provider results.
pub(super) fn stored_later(task: &Task) -> bool {
    let stages = || task.run.stages.iter().map(|spec| spec.stage);
    stages().skip_while(|stage| *stage != task.block.stage).skip(1).any(|stage| stage == Stage::Assign)
}

/// INTEGRITY when the object is not what was recorded. While the store is unavailable, the block is delivered again.
pub(super) fn storage_failed(error: StorageError) -> BlockFault {
    match error {
        StorageError::NotFound(path) => BlockFault::new(FailureCode::Integrity, format!("no object at {path}")),
        StorageError::Integrity(fault) => Failure::integrity(*fault).into(),
        error @ (StorageError::Expired { .. } | StorageError::Erased { .. }) => {
            BlockFault::new(FailureCode::Validation, error.to_string())
        }
        error if error.is_unavailable() => {
            tracing::warn!(%error, "object store failed");
            BlockFault::unavailable("the object store cannot be used")
        }
        error => retryable("object store failed", &error),
    }
}

/// A retryable failure.
pub(super) fn database_failed(error: sqlx::Error) -> BlockFault {
    retryable("database failed", &error)
}

pub(super) fn retryable(what: &str, error: &dyn std::fmt::Display) -> BlockFault {
    // A driver's message may quote values: it goes to the process's log, not to the event. Ids are in the block's span.
    tracing::warn!(%error, "{what}");
    let mut fault = BlockFault::new(FailureCode::Internal, what);
    fault.failure.retryable = true;
    fault
}

/// The line of a lead whose number belongs to the send of another one. Readers of leads leave the name out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlreadyQueued<'a> {
    #[serde(flatten)]
    lead: &'a Lead,
    already_queued: LeadId,
}

/// A block's report while it is being made.
pub(super) struct Outcome<'a> {
    task: &'a Task,
    tools: &'a Tools,
    report: BlockReport,
    output: Option<ArtifactWriter>,
    failed: Option<ArtifactWriter>,
    rejected: Option<ArtifactWriter>,
}

/// An artifact of the block; its id derives from the one in `block:queued`.
#[derive(Clone, Copy)]
enum Kind {
    Output,
    Failed,
    Rejected,
}

impl<'a> Outcome<'a> {
    pub(super) fn new(task: &'a Task, tools: &'a Tools) -> Self {
        let report = BlockReport {
            counts: Counts::default(),
            failures: BTreeMap::new(),
            reasons: BTreeMap::new(),
            warnings: BTreeMap::new(),
            cost_micros: 0,
            score_sum: None,
            artifacts: Vec::new(),
            next: None,
        };
        Self { task, tools, report, output: None, failed: None, rejected: None }
    }

    /// The report so far, for what concerns no single lead: cost, score, cursor.
    pub(super) fn report(&mut self) -> &mut BlockReport {
        &mut self.report
    }

    /// The stage succeeded on the lead.
    pub(super) async fn success(&mut self, lead: &impl Serialize) -> Result<(), BlockFault> {
        self.report.counts.success += 1;
        self.write_output(lead).await
    }

    /// A success whose line is JSON text already.
    pub(super) async fn success_line(&mut self, json: &[u8]) -> Result<(), BlockFault> {
        self.report.counts.success += 1;
        self.report.counts.input += 1;
        self.writer(Kind::Output)?.raw_line(json);
        Ok(())
    }

    /// The stage found nothing about the lead.
    pub(super) async fn no_match(&mut self, lead: &Lead) -> Result<(), BlockFault> {
        self.report.counts.no_match += 1;
        self.write_output(lead).await
    }

    /// The lead passes unchanged.
    pub(super) async fn skipped(&mut self, lead: &Lead, reason: Option<&str>) -> Result<(), BlockFault> {
        self.report.counts.skipped += 1;
        if let Some(reason) = reason {
            self.reason(reason);
        }
        self.write_output(lead).await
    }

    /// The lead passes unchanged: its number gets this attempt of the campaign as the number of another lead, which its line
    /// names.
    pub(super) async fn already_queued(&mut self, lead: &Lead, first: LeadId) -> Result<(), BlockFault> {
        self.report.counts.skipped += 1;
        self.reason("already_queued");
        if first == lead.lead_id {
            return self.write_output(lead).await;
        }
        self.write_output(&AlreadyQueued { lead, already_queued: first }).await
    }

    /// The lead leaves the pipeline here and can be retried.
    pub(super) async fn failed(&mut self, line: &FailedLine) -> Result<(), BlockFault> {
        self.write_dropped(Kind::Failed, line).await
    }

    /// The row is rejected; it can be corrected and uploaded again.
    pub(super) async fn rejected(&mut self, line: &FailedLine) -> Result<(), BlockFault> {
        self.write_dropped(Kind::Rejected, line).await
    }

    async fn write_dropped(&mut self, kind: Kind, line: &FailedLine) -> Result<(), BlockFault> {
        self.report.counts.failed += 1;
        self.report.counts.input += 1;
        *self.report.failures.entry(line.code).or_default() += 1;
        self.reason(&line.reason);
        self.writer(kind)?.line(line).map_err(storage_failed)
    }

    async fn write_output(&mut self, lead: &impl Serialize) -> Result<(), BlockFault> {
        self.report.counts.input += 1;
        self.writer(Kind::Output)?.line(lead).map_err(storage_failed)
    }

    fn reason(&mut self, reason: &str) {
        *self.report.reasons.entry(reason.to_owned()).or_default() += 1;
    }

    pub(super) fn warn(&mut self, warning: &str) {
        *self.report.warnings.entry(warning.to_owned()).or_default() += 1;
    }

    fn writer(&mut self, kind: Kind) -> Result<&mut ArtifactWriter, BlockFault> {
        let (slot, name, bit) = match kind {
            Kind::Output => (&mut self.output, self.task.block.stage.artifact_type(), 0),
            Kind::Failed => (&mut self.failed, "failed", 1),
            Kind::Rejected => (&mut self.rejected, "rejected", 2),
        };
        let open = match slot.take() {
            Some(open) => open,
            None => {
                let id = ArtifactId::from_ulid(ulid::Ulid(self.task.block.artifact_id.ulid().0 ^ bit));
                let (tenant, run, unix) = (self.task.tenant, self.task.run_id, self.task.block.unix);
                self.tools.storage.write_artifact(tenant, run, name, unix, id).map_err(storage_failed)?
            }
        };
        Ok(slot.insert(open))
    }

    /// Closes the artifacts. Nothing of them can be read before.
    pub(super) async fn finish(mut self) -> Result<BlockReport, BlockFault> {
        let parents = match &self.task.block.input {
            BlockInput::Artifact { artifact_id, .. } => vec![*artifact_id],
            BlockInput::Source { .. } => Vec::new(),
        };
        for writer in [self.output.take(), self.failed.take(), self.rejected.take()].into_iter().flatten() {
            self.report.artifacts.push(writer.finish(parents.clone()).await.map_err(storage_failed)?);
        }
        Ok(self.report)
    }

    /// Closes the artifacts; the block fails when every processed lead failed for a technical reason.
    pub(super) async fn finish_unless_all_failed(self, provider: ProviderName) -> Result<BlockReport, BlockFault> {
        let report = self.finish().await?;
        let (tried, failed) = (report.counts.processed(), report.counts.failed);
        let technical = report.failures.keys().all(|code| code.technical());
        if tried == 0 || failed < tried || !technical {
            return Ok(report);
        }
        let most = report.failures.iter().max_by_key(|(_, leads)| **leads).map(|(code, _)| *code);
        let code = most.unwrap_or(FailureCode::Internal);
        let reason =
            report.reasons.iter().max_by_key(|(_, leads)| **leads).map(|(reason, _)| Reason::from(reason.clone()));
        let cause =
            reason.and_then(|reason| reason.remedy(provider)).map_or_else(String::new, |text| format!(": {text}"));
        let mut failure = Failure::new(code, format!("{provider} answered for none of {tried} leads{cause}"));
        failure.reasons = report.reasons.clone();
        Err(BlockFault { report: Box::new(report), ..failure.into() })
    }
}

/// Stores leads, each once and sorted by id, so that two blocks with the same leads do not deadlock.
pub(super) async fn store_leads<'a>(
    c: &mut PgConnection,
    tenant: TenantId,
    leads: impl IntoIterator<Item = &'a Lead>,
) -> Result<(), sqlx::Error> {
    let mut leads: Vec<&Lead> = leads.into_iter().collect();
    leads.sort_by_key(|lead| lead.lead_id);
    leads.dedup_by_key(|lead| lead.lead_id);
    if leads.is_empty() { Ok(()) } else { store::leads::update(c, tenant, &leads).await }
}
