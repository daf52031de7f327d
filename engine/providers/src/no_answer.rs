//! Why a submitted lead has no answer, as `trace_leads` holds it.

use luci_schema::{FailureCode, KeyId, LeadId};
use serde::{Deserialize, Serialize};

use crate::{error::ProviderError, name::ProviderName, reason::Reason};

/// Why a submitted lead has no answer, as `trace_leads` holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NoAnswer {
    code: FailureCode,
    reason: Reason,
    detail: Option<String>,
}

impl NoAnswer {
    /// `None`, with a log line, when the text cannot be decoded.
    pub fn decode(text: &str, lead: LeadId, batch: KeyId) -> Option<Self> {
        let log = |error: &serde_json::Error| {
            let (kind, column) = (format!("{:?}", error.classify()).to_lowercase(), error.column());
            tracing::error!(lead.id = %lead, batch.id = %batch, kind, column, "stored failure cannot be decoded");
        };
        serde_json::from_str(text).inspect_err(log).ok()
    }

    /// As the error of the provider that gave no answer.
    pub fn into_error(self, provider: ProviderName) -> ProviderError {
        ProviderError { detail: self.detail, ..ProviderError::new(provider, self.code, self.reason) }
    }
}

impl From<ProviderError> for NoAnswer {
    fn from(error: ProviderError) -> Self {
        Self { code: error.code, reason: error.reason, detail: error.detail }
    }
}
