//! Failures of blocks and leads: data of events, not Rust errors.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{Micros, ObjectDigest};

/// The cause; every provider's errors are mapped to one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureCode {
    RateLimit,
    ApiError,
    Validation,
    Auth,
    Timeout,
    Internal,
    /// A stored object is missing or is not what was recorded.
    Integrity,
}

impl FailureCode {
    pub const ALL: [Self; 7] =
        [Self::RateLimit, Self::ApiError, Self::Validation, Self::Auth, Self::Timeout, Self::Internal, Self::Integrity];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "RATE_LIMIT",
            Self::ApiError => "API_ERROR",
            Self::Validation => "VALIDATION",
            Self::Auth => "AUTH",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
            Self::Integrity => "INTEGRITY",
        }
    }

    /// Whether a retry without any change can succeed.
    pub const fn retryable(self) -> bool {
        match self {
            Self::RateLimit | Self::ApiError | Self::Timeout => true,
            Self::Validation | Self::Auth | Self::Internal | Self::Integrity => false,
        }
    }

    /// Whether the work could not be done, as opposed to an invalid lead (`VALIDATION`).
    pub const fn technical(self) -> bool {
        !matches!(self, Self::Validation)
    }
}

/// A failure as stored in an event. Lead ids and vendor text are in the `failed` artifact only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub code: FailureCode,
    pub retryable: bool,
    /// LUCI's own message, without personal data or vendor text.
    pub message: String,
    /// Leads by reason (`missing_identity`, `no_phone`, `http_503` …).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// Earliest useful retry: the end of a limit, or the provider's `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before_micros: Option<Micros>,
    /// INTEGRITY only: the object, and how it differs from what was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Box<ObjectFault>>,
}

/// An object that is missing or is not what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectFault {
    pub object_path: String,
    pub expected: ObjectDigest,
    pub found: FoundObject,
}

/// What is stored instead. The checksum is unknown when the size is wrong already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum FoundObject {
    Missing,
    Size {
        size_bytes: u64,
    },
    Content {
        size_bytes: u64,
        checksum: String,
    },
    /// A part of a large object differs from what was verified before.
    Part {
        from_byte: u64,
        to_byte: u64,
    },
}

impl ObjectFault {
    /// What is stored, beside what was recorded: `size is 3 bytes, recorded 9`.
    pub fn difference(&self) -> String {
        let Self { expected, found, .. } = self;
        match found {
            FoundObject::Missing => "the object is missing".to_owned(),
            FoundObject::Size { size_bytes } => format!("size is {size_bytes} bytes, recorded {}", expected.size_bytes),
            FoundObject::Content { checksum, .. } => format!("SHA-256 is {checksum}, recorded {}", expected.checksum),
            FoundObject::Part { from_byte, to_byte } => format!("differs from byte {from_byte} to {to_byte}"),
        }
    }
}

impl fmt::Display for ObjectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object_path, expected, found } = self;
        write!(f, "object {object_path} ")?;
        match found {
            FoundObject::Missing => f.write_str("is missing")?,
            FoundObject::Size { size_bytes } => write!(f, "has {size_bytes} bytes")?,
            FoundObject::Content { size_bytes, checksum } => {
                write!(f, "has {size_bytes} bytes with SHA-256 {checksum}")?;
            }
            FoundObject::Part { from_byte, to_byte } => write!(f, "differs from byte {from_byte} to {to_byte}")?,
        }
        write!(f, "; recorded are {} bytes with SHA-256 {}", expected.size_bytes, expected.checksum)
    }
}

impl Failure {
    /// The block cannot go on before the object is what was recorded again.
    pub fn integrity(fault: ObjectFault) -> Self {
        let failure = Self::new(FailureCode::Integrity, fault.to_string());
        Self { object: Some(Box::new(fault)), ..failure }
    }

    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            retryable: code.retryable(),
            message: message.into(),
            reasons: BTreeMap::new(),
            not_before_micros: None,
            object: None,
        }
    }
}
