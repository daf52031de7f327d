//! Why a lead got no answer from a provider, and whether the provider was called.

use std::time::Duration;

use luci_schema::FailureCode;

use crate::{name::ProviderName, reason::Reason};

/// `code` decides what happens next; events may hold `reason`; `detail` may quote the provider and belongs
/// in the `failed` artifact only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {reason}")]
pub struct ProviderError {
    pub provider: &'static str,
    pub code: FailureCode,
    pub reason: Reason,
    pub detail: Option<String>,
    pub retry_after: Option<Duration>,
    pub call: CallState,
}

/// Whether the provider received the query that it did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    Made,
    /// A limit, an open breaker, a missing credential, or an earlier error of the block prevented the call.
    NotMade,
    /// It was submitted in a batch, and the deadline passed without an answer.
    AnswerOverdue,
}

impl ProviderError {
    /// The provider was called and gave no usable answer.
    pub fn new(provider: ProviderName, code: FailureCode, reason: Reason) -> Self {
        Self::of(provider.as_str(), code, reason)
    }

    /// As `new`, by the provider's stored name.
    pub(crate) const fn of(provider: &'static str, code: FailureCode, reason: Reason) -> Self {
        Self { provider, code, reason, detail: None, retry_after: None, call: CallState::Made }
    }

    pub fn not_made(self) -> Self {
        Self { call: CallState::NotMade, ..self }
    }

    /// The remaining leads of the block would fail the same way: the block has to end now.
    pub fn stops_block(&self) -> bool {
        self.call != CallState::Made || matches!(self.code, FailureCode::RateLimit)
    }
}
