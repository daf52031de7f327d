//! One exchange with a provider that sends: never retried here, and each failure says whether the provider may have
//! accepted the request. Only a certain refusal may be followed by another try.

use luci_schema::FailureCode;
use reqwest::{RequestBuilder, StatusCode, header};
use serde_json::Value;
use tracing::Instrument;

use crate::{
    error::ProviderError,
    http::{parse_retry_after, read_at_most, refusal, traced},
    reason::Reason,
};

/// Of one answer.
const MAX_ANSWER_BYTES: usize = 4 << 20;
const MAX_DETAIL_CHARS: usize = 300;

/// A message or call that the provider accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's own id.
    pub id: String,
    /// The provider's own status word.
    pub status: String,
}

/// Why nothing was accepted, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The provider did not accept it.
    #[error("refused: {0}")]
    Refused(ProviderError),
    /// It may have been accepted: the answer was lost, or did not say.
    #[error("unknown: {0}")]
    Unknown(ProviderError),
}

impl SendError {
    pub const fn error(&self) -> &ProviderError {
        match self {
            Self::Refused(error) | Self::Unknown(error) => error,
        }
    }
}

/// Sends the request and reads the JSON of a 2xx answer.
pub async fn exchange(provider: &'static str, request: RequestBuilder) -> Result<Value, SendError> {
    let span = tracing::info_span!("provider_call", provider, attempt = 1);
    let outcome = once(provider, request).instrument(span).await;
    let label = outcome.as_ref().map_or_else(|error| error.error().code.as_str(), |_| "ok");
    metrics::counter!("luci_provider_calls_total", "provider" => provider, "outcome" => label).increment(1);
    outcome
}

/// As `exchange`, without span and metric.
pub(super) async fn once(provider: &'static str, request: RequestBuilder) -> Result<Value, SendError> {
    let error = |code, reason| ProviderError::of(provider, code, reason);
    let response = traced(request).send().await.map_err(|broken| {
        if broken.is_connect() || broken.is_builder() {
            // No byte of the request was sent.
            SendError::Refused(error(FailureCode::ApiError, Reason::Connection))
        } else if broken.is_timeout() {
            SendError::Unknown(error(FailureCode::Timeout, Reason::Timeout))
        } else {
            SendError::Unknown(error(FailureCode::ApiError, Reason::Connection))
        }
    })?;
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| parse_retry_after(value.to_str().ok()?));
    let body = read_at_most(response, MAX_ANSWER_BYTES).await;
    if status.is_success() {
        // As elsewhere, a truncated body is an error of the API, also when a timeout truncated it.
        let body = body.map_err(|(_, reason)| SendError::Unknown(error(FailureCode::ApiError, reason)))?;
        let bad_answer = |_| SendError::Unknown(error(FailureCode::ApiError, Reason::BadAnswer));
        return serde_json::from_slice(&body).map_err(bad_answer);
    }
    let detail = String::from_utf8_lossy(&body.unwrap_or_default()).chars().take(MAX_DETAIL_CHARS).collect();
    let refused = refusal(provider, status, retry_after, detail);
    Err(if may_be_accepted(status) { SendError::Unknown(refused) } else { SendError::Refused(refused) })
}

/// 503 and every 4xx but 408 mean that nothing was done; other 5xx leave it open.
const fn may_be_accepted(status: StatusCode) -> bool {
    let status = status.as_u16();
    status == 408 || (status >= 500 && status != 503)
}

/// A 2xx whose body is a refusal: the provider did not accept it.
pub fn refused_in_body(provider: &'static str, body: &Value) -> SendError {
    let detail = Some(body.to_string().chars().take(MAX_DETAIL_CHARS).collect());
    let error = ProviderError::of(provider, FailureCode::Validation, Reason::Refused);
    SendError::Refused(ProviderError { detail, ..error })
}

/// A 2xx without an id: it may have been accepted.
pub const fn missing_id(provider: &'static str) -> SendError {
    SendError::Unknown(ProviderError::of(provider, FailureCode::ApiError, Reason::BadAnswer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certain_refusal_may_be_retried() {
        for (status, may_be) in
            [(400, false), (401, false), (408, true), (429, false), (500, true), (502, true), (503, false), (504, true)]
        {
            assert_eq!(may_be_accepted(StatusCode::from_u16(status).unwrap()), may_be, "{status}");
        }
    }
}
