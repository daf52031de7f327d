//! A failure: a block, or a lead in it, could not be carried out. It is data of an event, not a Rust error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Micros;

/// Why, in six words that every provider's errors are mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureCode {
    RateLimit,
    ApiError,
    Validation,
    Auth,
    Timeout,
    Internal,
}

impl FailureCode {
    pub const ALL: [Self; 6] =
        [Self::RateLimit, Self::ApiError, Self::Validation, Self::Auth, Self::Timeout, Self::Internal];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "RATE_LIMIT",
            Self::ApiError => "API_ERROR",
            Self::Validation => "VALIDATION",
            Self::Auth => "AUTH",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
        }
    }

    /// Whether trying again without a change can help.
    pub const fn retryable(self) -> bool {
        match self {
            Self::RateLimit | Self::ApiError | Self::Timeout => true,
            Self::Validation | Self::Auth | Self::Internal => false,
        }
    }

    /// Technical codes say that the work could not be done; `VALIDATION` says that the lead was wrong.
    pub const fn technical(self) -> bool {
        !matches!(self, Self::Validation)
    }
}

/// What an event keeps of a failure. Lead ids and vendor text are in the `failed` artifact, never here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub code: FailureCode,
    pub retryable: bool,
    /// A message of our own, without personal data or vendor text.
    pub message: String,
    /// Leads by reason (`missing_identity`, `no_phone`, `http_503` …).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// Another try before this is in vain: a limit, or a provider's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before_micros: Option<Micros>,
}

impl Failure {
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            retryable: code.retryable(),
            message: message.into(),
            reasons: BTreeMap::new(),
            not_before_micros: None,
        }
    }
}
