//! Failures of blocks and leads: data of events, not Rust errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Micros;

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

    /// Whether a retry without any change can succeed.
    pub const fn retryable(self) -> bool {
        match self {
            Self::RateLimit | Self::ApiError | Self::Timeout => true,
            Self::Validation | Self::Auth | Self::Internal => false,
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
