//! Table `imports`: uploaded files, from the upload URL to the counted rows.

mod queries;
mod writes;

use luci_schema::{ImportId, Micros};
use serde::{Deserialize, Serialize};

pub use self::{
    queries::{OpenUpload, StagedUpload, get, layout, list, open_uploads, staged},
    writes::{
        announce_parts, begin, begin_in_parts, clear_preview, complete, complete_counted, correct_layout,
        expire_staged, fix_layout, lock_pending, reject, staging_removed,
    },
};
use crate::read::{
    preview::Preview,
    upload::{ImportSummary, UploadError},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportStatus {
    /// An upload URL was issued.
    Pending,
    /// Size, checksum and rows are verified: runs can read it.
    Completed,
    /// Rejected, or never completed; the object is deleted.
    Rejected,
}

impl ImportStatus {
    fn parse(stored: &str) -> Result<Self, sqlx::Error> {
        match stored {
            "pending" => Ok(Self::Pending),
            "completed" => Ok(Self::Completed),
            "rejected" => Ok(Self::Rejected),
            other => Err(sqlx::Error::Decode(format!("`{other}` is not a status of an import").into())),
        }
    }
}

/// An import as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    pub id: ImportId,
    pub file_name: String,
    pub object_path: String,
    /// Whether the client puts the file to a staging key. It does not in imports of one call, nor in older ones.
    pub staged: bool,
    /// How the client puts it; `None`: in one request.
    pub parts: Option<UploadParts>,
    pub status: ImportStatus,
    pub content_type: String,
    pub size_bytes: Option<u64>,
    /// SHA-256, lower hex.
    pub checksum: Option<String>,
    pub rows: Option<u64>,
    pub summary: Option<ImportSummary>,
    /// What a person checks before a run; it holds personal data.
    pub preview: Option<Preview>,
    /// Why it was rejected.
    pub error: Option<ImportError>,
    /// `actor:ID` …
    pub created_by: String,
    pub created_at: Micros,
    pub completed_at: Option<Micros>,
}

/// The parts of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadParts {
    /// Size of each part but the last.
    pub part_bytes: u64,
    /// SHA-256 of the part that counts under each number, lower hex, beginning with number 1; shorter than the upload when no URL
    /// was asked for the last ones.
    pub checksums: Vec<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportError {
    /// `empty_file`, `no_known_column` …
    pub code: String,
    pub message: String,
}

impl From<&UploadError> for ImportError {
    fn from(error: &UploadError) -> Self {
        Self { code: error.code().into(), message: error.to_string() }
    }
}

/// An import to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    pub id: ImportId,
    pub file_name: String,
    pub object_path: String,
    /// Whether the client puts the file to a staging key.
    pub staged: bool,
    pub content_type: String,
    /// Expected size and checksum, when the caller announced them; completing the import replaces both.
    pub size_bytes: Option<u64>,
    pub checksum: Option<String>,
    pub created_by: String,
    pub created_at: Micros,
}
