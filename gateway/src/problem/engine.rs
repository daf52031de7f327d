//! Problems for errors and refusals of the engine.

use http::StatusCode;
use luci_config::{AdminError, vault::VaultError};
use luci_leads::read::upload::UploadError;
use luci_messaging::webhooks::IngestError;
use luci_runs::{
    core::{DecideError, Refusal, Run},
    issue::IssueError,
};
use luci_schema::{
    FailureCode, Micros, ObjectFault,
    log::{AppendError, LogError},
};
use luci_stages::{
    stage_outputs::InputError,
    start::{MissingProvider, StartError},
};
use luci_storage::{BlobRefused, StorageError, UploadRefused};
use serde_json::json;

use super::Problem;

impl Problem {
    /// A stored object is missing or is not what was recorded; nothing of it is answered.
    pub fn integrity(fault: &ObjectFault) -> Self {
        tracing::error!(object = fault.object_path, %fault, "stored object is not what was recorded");
        Self::new(StatusCode::CONFLICT, "integrity", "A stored object is not what was recorded")
            .detail(fault.to_string())
            .with("code", FailureCode::Integrity.as_str())
            .with("object", fault.object_path.clone())
            .with("expected", json!(fault.expected))
            .with("found", json!(fault.found))
    }

    /// Retention removed the object.
    pub fn object_expired(at: Micros) -> Self {
        Self::new(StatusCode::GONE, "expired", "Object expired")
            .detail("Retention deleted the object; its metadata and checksum are kept.")
            .with("expiredAt", at.rfc3339())
    }

    /// The object was only about people who were erased.
    pub fn object_erased(at: Micros) -> Self {
        Self::new(StatusCode::GONE, "erased", "Object erased")
            .detail("The object was only about people who were erased; its metadata and checksum are kept.")
            .with("erasedAt", at.rfc3339())
    }

    fn store_unavailable(state: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", "The object store cannot be used")
            .detail("Try again when `/readyz` shows the store as up.")
            .with("store", state)
    }

    /// The run is in a status that does not allow the command.
    pub fn illegal_status(run: &Run, reason: &str) -> Self {
        not_possible("illegal-status").detail(reason).with("runStatus", run.status().as_str())
    }
}

impl Problem {
    /// The run needs providers that have no key.
    pub fn missing_providers(missing: &[MissingProvider]) -> Self {
        let sentence =
            |m: &MissingProvider| format!("{} needs {}: {}", m.stage.as_str().to_uppercase(), m.provider, m.remedy);
        let sentences: Vec<String> = missing.iter().map(sentence).collect();
        let detail = format!("{}. Or start the run with options.onMissingProvider `skip`.", sentences.join(". "));
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "missing-provider", "A provider has no key")
            .detail(detail)
            .with("missing", serde_json::json!(missing))
    }
}

fn not_possible(kind: &'static str) -> Problem {
    Problem::new(StatusCode::CONFLICT, kind, "Not possible in the current state")
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NotFound(kind) => Self::not_found(kind),
            AdminError::Taken { field, .. } => Self::invalid(field, "is taken"),
            AdminError::Invalid { field, reason } => Self::invalid(field, reason),
            AdminError::Fields(errors) => Self::invalid_fields(errors),
            AdminError::Append(error) => error.into(),
            AdminError::Log(error) => error.into(),
            AdminError::Vault(error) => error.into(),
            AdminError::Storage(error) => error.into(),
            AdminError::Database(error) => error.into(),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound(_) | StorageError::Key(_) | StorageError::Path(_) => Self::not_found("object"),
            StorageError::Integrity(fault) => Self::integrity(&fault),
            StorageError::Unusable(fault) => Self::store_unavailable(fault.as_str()),
            StorageError::Expired { at, .. } => Self::object_expired(at),
            StorageError::Erased { at, .. } => Self::object_erased(at),
            error if error.is_unavailable() => {
                tracing::error!(%error, "object store failed");
                Self::store_unavailable("unreachable")
            }
            error => Self::internal(&error),
        }
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::AlreadyDone(receipt) => AppendError::AlreadyDone(receipt).into(),
            IssueError::NotFound => Self::not_found("run"),
            IssueError::VersionMismatch { actual } => Self::version_mismatch(actual),
            IssueError::Refused(refusal) => refusal.into(),
            IssueError::Log(error) => error.into(),
            IssueError::Append(error) => error.into(),
        }
    }
}

impl From<DecideError> for Problem {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Refused(refusal) => refusal.into(),
            DecideError::Corrupt(corrupt) => LogError::from(corrupt).into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let reason = refusal.to_string();
        let conflict = |kind| not_possible(kind).detail(reason.clone());
        match &refusal {
            Refusal::Illegal { status, .. } => conflict("illegal-status").with("runStatus", status.as_str()),
            Refusal::Deleted => conflict("deleted"),
            Refusal::Missing => Self::not_found("run"),
            Refusal::Unfit { block, .. } => conflict("block-not-fit").with("blockId", block.to_string()),
            Refusal::OverBudget { missing_micros } => conflict("over-budget").with("missingMicros", *missing_micros),
            Refusal::Stale => conflict("stale"),
            Refusal::TooManyLeads { leads, max_leads } => {
                Self::invalid("options.maxLeads", reason.clone()).with("leads", *leads).with("maxLeads", *max_leads)
            }
            Refusal::Invalid(_) => Self::invalid("body", reason.clone()),
        }
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let reason = error.to_string();
        match error {
            StartError::Invalid { field, reason } => Self::invalid(field, reason),
            StartError::TooManyLeads { leads, max_leads } => {
                Self::invalid("options.maxLeads", reason).with("leads", leads).with("maxLeads", max_leads)
            }
            StartError::AlreadyImported { run } => {
                Self::new(StatusCode::CONFLICT, "already_imported", "The file was started before")
                    .detail(reason)
                    .with("runId", run.to_string())
            }
            StartError::Log(error) => error.into(),
            StartError::Admin(error) => error.into(),
            StartError::Database(error) => error.into(),
        }
    }
}

impl From<InputError> for Problem {
    fn from(error: InputError) -> Self {
        let reason = error.to_string();
        match error {
            InputError::Contradiction { recorded, found, .. } => {
                Self::new(StatusCode::CONFLICT, "integrity", "The input is not what was recorded")
                    .detail(reason)
                    .with("code", FailureCode::Integrity.as_str())
                    .with("expected", json!({ "leads": recorded }))
                    .with("found", json!({ "leads": found }))
            }
            InputError::Storage(error) => error.into(),
            InputError::Log(error) => error.into(),
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Storage(error) => error.into(),
            IngestError::Append(error) => error.into(),
            IngestError::Database(error) => error.into(),
        }
    }
}

impl From<BlobRefused> for Problem {
    fn from(refused: BlobRefused) -> Self {
        match refused {
            BlobRefused::NotLocal => Self::no_route(),
            BlobRefused::Signature | BlobRefused::Expired => {
                Self::new(StatusCode::FORBIDDEN, "address", "The URL is not valid").detail(refused.to_string())
            }
        }
    }
}

/// `code` is machine-readable.
impl From<UploadRefused> for Problem {
    fn from(refused: UploadRefused) -> Self {
        let reason = refused.to_string();
        match (upload_code(&refused), refused) {
            (Some(code), _) => Self::invalid("file", reason).with("code", code),
            (None, UploadRefused::Store(error)) => error.into(),
            (None, UploadRefused::PartsMissing { numbers }) => parts_missing(reason, numbers),
            (None, UploadRefused::PartDiffers { number }) => parts_missing(reason, vec![number]),
            (None, _) => Self::new(StatusCode::CONFLICT, "not-uploaded", "Nothing was uploaded yet").detail(reason),
        }
    }
}

/// They may still arrive: the upload stays open.
fn parts_missing(reason: String, numbers: Vec<u32>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "parts-missing", "Parts of the upload are missing")
        .detail(reason)
        .with("missing", numbers)
}

/// The code of a file that differs from the announced one; `None` when it may still arrive.
pub fn upload_code(refused: &UploadRefused) -> Option<&'static str> {
    match refused {
        UploadRefused::Missing
        | UploadRefused::PartsMissing { .. }
        | UploadRefused::PartDiffers { .. }
        | UploadRefused::Store(_) => None,
        UploadRefused::TooLarge { .. } => Some("too_large"),
        UploadRefused::Size { .. } => Some("size_differs"),
        UploadRefused::ContentType { .. } => Some("content_type_differs"),
        UploadRefused::Checksum { .. } => Some("checksum_differs"),
    }
}

/// The file is not a usable CSV; `line` and `column` are set where they are known.
impl From<&UploadError> for Problem {
    fn from(error: &UploadError) -> Self {
        let problem = Self::invalid("file", error.to_string()).with("code", error.code());
        match error {
            UploadError::TooLong { line, .. } => problem.with("line", *line),
            UploadError::NoKnownColumn { found } => problem.with("line", 1).with("columns", found.clone()),
            UploadError::Empty | UploadError::TooManyColumns { .. } | UploadError::Binary { .. } => {
                problem.with("line", 1)
            }
            _ => problem,
        }
    }
}
