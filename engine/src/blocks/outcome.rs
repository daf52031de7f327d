//! What becomes of a block's leads: each is counted once and written to the artifact where it belongs.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use luci_schema::{
    ArtifactId, Counts, Failure, FailureCode, TenantId,
    event::{BlockInput, BlockReport},
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgConnection;

use crate::{
    block::{BlockFault, Task, Tools},
    book,
    lead::{
        Lead,
        line::{self, FailedLine},
    },
    storage::{ArtifactWriter, StorageError},
};

/// A block's leads at most: so many find room at once, whatever the block says that it has.
const MOST_ROOM: usize = 1_000;

/// The leads that a block was given.
pub(super) async fn leads(task: &Task, tools: &Tools) -> Result<Vec<Lead>, BlockFault> {
    let BlockInput::Artifact { object_path, leads: expected, .. } = &task.block.input else {
        return Err(BlockFault::new(FailureCode::Internal, "this stage works on an artifact, not on a source"));
    };
    let mut lines = tools.storage.read_lines(object_path);
    let mut leads = Vec::with_capacity(usize::try_from(*expected).unwrap_or(0).min(MOST_ROOM));
    while let Some(text) = lines.try_next().await.map_err(storage_failed)? {
        let lead = line::read(&text);
        // The text itself is personal data: only the place of the mistake is said.
        let lead = lead.map_err(|error| {
            let message =
                format!("line {} of the input artifact is no lead (column {})", leads.len() + 1, error.column());
            BlockFault::new(FailureCode::Internal, message)
        });
        leads.push(lead?);
    }
    Ok(leads)
}

/// The stage's settings, defaults where the blueprint says nothing.
pub(super) fn config<T: DeserializeOwned + Default>(task: &Task) -> Result<T, BlockFault> {
    settings(&task.spec.config).map_err(|error| {
        BlockFault::new(FailureCode::Validation, format!("the settings of stage {}: {error}", task.spec.name))
    })
}

/// A stage's settings as a blueprint gives them; the error names the setting.
pub(super) fn settings<T: DeserializeOwned + Default>(given: &serde_json::Value) -> Result<T, String> {
    match given {
        serde_json::Value::Null => Ok(T::default()),
        given => T::deserialize(given).map_err(|error| error.to_string()),
    }
}

/// The store was not there: another try can help.
pub(super) fn storage_failed(error: StorageError) -> BlockFault {
    match error {
        StorageError::NotFound(path) => BlockFault::new(FailureCode::Validation, format!("no object at {path}")),
        error => again("the object store failed", &error),
    }
}

/// The database was not there: another try can help.
pub(super) fn database_failed(error: sqlx::Error) -> BlockFault {
    again("the database failed", &error)
}

pub(super) fn again(what: &str, error: &dyn std::fmt::Display) -> BlockFault {
    // What a driver says may quote values: it goes to the log of the process, not to the event.
    tracing::warn!(%error, "{what}");
    let mut fault = BlockFault::new(FailureCode::Internal, what);
    fault.failure.retryable = true;
    fault
}

/// A block's report in the making.
pub(super) struct Outcome<'a> {
    task: &'a Task,
    tools: &'a Tools,
    report: BlockReport,
    output: Option<ArtifactWriter>,
    failed: Option<ArtifactWriter>,
    rejected: Option<ArtifactWriter>,
}

/// Which artifact a writer is for; its id derives from the one that the queued event fixed.
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

    /// The report so far, for what is no lead's own: cost, score, cursor.
    pub(super) fn report(&mut self) -> &mut BlockReport {
        &mut self.report
    }

    /// The stage did its work on the lead.
    pub(super) async fn success(&mut self, lead: &impl Serialize) -> Result<(), BlockFault> {
        self.report.counts.success += 1;
        self.goes_on(lead).await
    }

    /// A success whose line is JSON text already.
    pub(super) async fn success_line(&mut self, json: &[u8]) -> Result<(), BlockFault> {
        self.report.counts.success += 1;
        self.report.counts.input += 1;
        self.writer(Kind::Output)?.raw_line(json).await.map_err(storage_failed)
    }

    /// The stage was tried on the lead and found nothing.
    pub(super) async fn no_match(&mut self, lead: &Lead) -> Result<(), BlockFault> {
        self.report.counts.no_match += 1;
        self.goes_on(lead).await
    }

    /// The lead passes untouched, for a reason where there is one to tell.
    pub(super) async fn skipped(&mut self, lead: &Lead, reason: Option<&str>) -> Result<(), BlockFault> {
        self.report.counts.skipped += 1;
        if let Some(reason) = reason {
            self.reason(reason);
        }
        self.goes_on(lead).await
    }

    /// The lead leaves the pipeline here and can be sent again.
    pub(super) async fn failed(&mut self, line: &FailedLine) -> Result<(), BlockFault> {
        self.leaves(Kind::Failed, line).await
    }

    /// The row is refused for good; it can be mended and uploaded again.
    pub(super) async fn rejected(&mut self, line: &FailedLine) -> Result<(), BlockFault> {
        self.leaves(Kind::Rejected, line).await
    }

    async fn leaves(&mut self, kind: Kind, line: &FailedLine) -> Result<(), BlockFault> {
        self.report.counts.failed += 1;
        self.report.counts.input += 1;
        *self.report.failures.entry(line.code).or_default() += 1;
        self.reason(&line.reason);
        self.writer(kind)?.line(line).await.map_err(storage_failed)
    }

    async fn goes_on(&mut self, lead: &impl Serialize) -> Result<(), BlockFault> {
        self.report.counts.input += 1;
        self.writer(Kind::Output)?.line(lead).await.map_err(storage_failed)
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

    /// Closes the artifacts. The output is complete only now: before, nothing can be read of it.
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

    /// Closes the artifacts; the block as a whole failed when every lead that was tried failed for a technical reason.
    pub(super) async fn finish_unless_all_failed(self, provider: &str) -> Result<BlockReport, BlockFault> {
        let report = self.finish().await?;
        let (tried, failed) = (report.counts.processed(), report.counts.failed);
        let technical = report.failures.keys().all(|code| code.technical());
        if tried == 0 || failed < tried || !technical {
            return Ok(report);
        }
        let most = report.failures.iter().max_by_key(|(_, leads)| **leads).map(|(code, _)| *code);
        let code = most.unwrap_or(FailureCode::Internal);
        let mut failure = Failure::new(code, format!("{provider} answered for none of {tried} leads"));
        failure.reasons = report.reasons.clone();
        Err(BlockFault { failure, report: Box::new(report) })
    }
}

/// Writes leads into the book as they stand now, each once and always in one order, so that two blocks that hold the same
/// leads wait for each other instead of for ever.
pub(super) async fn book<'a>(
    c: &mut PgConnection,
    tenant: TenantId,
    leads: impl IntoIterator<Item = &'a Lead>,
) -> Result<(), sqlx::Error> {
    let mut leads: Vec<&Lead> = leads.into_iter().collect();
    leads.sort_by_key(|lead| lead.lead_id);
    leads.dedup_by_key(|lead| lead.lead_id);
    if leads.is_empty() { Ok(()) } else { book::leads::update(c, tenant, &leads).await }
}
