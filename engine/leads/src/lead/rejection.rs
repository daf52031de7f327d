//! Why a row is not a lead: the reason that reports count by, and the fault of a row that is malformed.

use serde::{Deserialize, Serialize};

/// Why a row is rejected; reports count rejected rows by `as_str`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionReason {
    MissingIdentity,
    MissingContactPath,
    DuplicateInFile,
    MalformedRow,
    /// One of its keys belongs to a lead of another input, and the run skips those (`onExisting: skip`).
    DuplicateExisting,
}

impl RejectionReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingIdentity => "missing_identity",
            Self::MissingContactPath => "missing_contact_path",
            Self::DuplicateInFile => "duplicate_in_file",
            Self::MalformedRow => "malformed_row",
            Self::DuplicateExisting => "duplicate_existing",
        }
    }
}

/// The rejection of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub reason: RejectionReason,
    /// The field whose correction would make the row a lead, if there is one.
    pub field: Option<&'static str>,
    /// What was expected there.
    pub expected: String,
    /// The row of the same input that holds one of its keys.
    pub duplicate_of: Option<u64>,
}

impl Rejection {
    pub(crate) fn new(reason: RejectionReason, field: Option<&'static str>, expected: impl Into<String>) -> Self {
        Self { reason, field, expected: expected.into(), duplicate_of: None }
    }

    /// `first` is the row that holds the key.
    pub fn duplicate(first: u64) -> Self {
        let duplicate = Self::new(RejectionReason::DuplicateInFile, None, format!("no key of row {first}"));
        Self { duplicate_of: Some(first), ..duplicate }
    }

    pub fn existing() -> Self {
        Self::new(RejectionReason::DuplicateExisting, None, "no key of a lead of another input")
    }
}

/// Why a row of a file is malformed. VALIDATE rejects the lead as `malformed_row`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum RowFault {
    /// Fewer cells than the header. Only in artifacts of earlier versions: such rows are padded now.
    TooFewCells { found: u32, expected: u32 },
    /// More cells than the header.
    TooManyCells { found: u32, expected: u32 },
    /// A quote that opens and never closes: the record ends with the file.
    UnclosedQuote {
        #[serde(default)]
        lines: u64,
    },
    /// Text after a closing quote, which can be read in several ways.
    LooseQuote,
    /// A cell in apostrophes or typographic quotes with a delimiter inside.
    AmbiguousQuote,
    /// A cell longer than this many bytes.
    OversizedCell { limit: u32 },
    /// A zero byte.
    NulByte,
    /// The person of the row was erased; only its place in the file is left.
    Erased,
}

impl RowFault {
    /// What was expected instead, for the report.
    pub fn expected(self) -> String {
        match self {
            Self::TooFewCells { found, expected } | Self::TooManyCells { found, expected } => {
                format!("{expected} cells as in the header, found {found}")
            }
            Self::UnclosedQuote { lines: ..2 } => "a closing quote".into(),
            Self::UnclosedQuote { lines } => format!("a closing quote; without it these {lines} lines are one record"),
            Self::LooseQuote => "a delimiter after a closing quote; write a quote inside quotes twice".into(),
            Self::AmbiguousQuote => "straight double quotes around a cell with a delimiter".into(),
            Self::OversizedCell { limit } => format!("cells of at most {limit} bytes"),
            Self::NulByte => "text without zero bytes".into(),
            Self::Erased => "a row whose person was not erased".into(),
        }
    }
}
