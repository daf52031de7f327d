//! One exchange with a provider that sends: never tried again by itself, and each failure says whether the provider can
//! have taken what was sent. Only a certain no may ever be followed by another try.

use std::time::Duration;

use luci_schema::FailureCode;
use reqwest::{RequestBuilder, StatusCode, header};
use serde_json::Value;

use super::call::{after, read_at_most};
use crate::provider::{Asked, ProviderError};

/// Of one answer.
const LARGEST_ANSWER: usize = 4 << 20;
const LONGEST_DETAIL: usize = 300;

/// A message or call that the provider took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's own id.
    pub id: String,
    /// The provider's word for where it stands.
    pub status: String,
}

/// Why nothing was accepted, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The provider did not take it.
    #[error("refused: {0}")]
    Refused(ProviderError),
    /// It may have been taken: the answer broke off, or said nothing of it.
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
pub(super) async fn exchange(provider: &'static str, request: RequestBuilder) -> Result<Value, SendError> {
    let outcome = once(provider, request).await;
    let word = outcome.as_ref().map_or_else(|error| error.error().code.as_str(), |_| "ok");
    metrics::counter!("luci_provider_calls_total", "provider" => provider, "outcome" => word).increment(1);
    outcome
}

/// As `exchange`, uncounted.
pub(super) async fn once(provider: &'static str, request: RequestBuilder) -> Result<Value, SendError> {
    let error = |code, reason: String| ProviderError {
        provider,
        code,
        reason,
        detail: None,
        retry_after: None,
        asked: Asked::Yes,
    };
    let response = request.send().await.map_err(|broken| {
        if broken.is_connect() || broken.is_builder() {
            // Not a byte of the request has left.
            SendError::Refused(error(FailureCode::ApiError, "connection".into()))
        } else if broken.is_timeout() {
            SendError::Unknown(error(FailureCode::Timeout, "timeout".into()))
        } else {
            SendError::Unknown(error(FailureCode::ApiError, "connection".into()))
        }
    })?;
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| after(value.to_str().ok()?));
    let body = read_at_most(response, LARGEST_ANSWER).await;
    if status.is_success() {
        let body = body.map_err(|reason| SendError::Unknown(error(FailureCode::ApiError, reason.into())))?;
        let unread = |_| SendError::Unknown(error(FailureCode::ApiError, "bad_answer".into()));
        return serde_json::from_slice(&body).map_err(unread);
    }
    let detail = String::from_utf8_lossy(&body.unwrap_or_default()).chars().take(LONGEST_DETAIL).collect();
    let refusal = refusal(provider, status, retry_after, detail);
    Err(if taken_perhaps(status) { SendError::Unknown(refusal) } else { SendError::Refused(refusal) })
}

/// A 503 and every 4xx but 408 say that nothing was done; other 5xx say nothing.
const fn taken_perhaps(status: StatusCode) -> bool {
    let status = status.as_u16();
    status == 408 || (status >= 500 && status != 503)
}

fn refusal(provider: &'static str, status: StatusCode, retry_after: Option<Duration>, detail: String) -> ProviderError {
    let code = match status.as_u16() {
        401 | 403 => FailureCode::Auth,
        408 => FailureCode::Timeout,
        429 => FailureCode::RateLimit,
        400 | 404 | 422 => FailureCode::Validation,
        500..=599 => FailureCode::ApiError,
        _ => FailureCode::Internal,
    };
    ProviderError {
        provider,
        code,
        reason: format!("http_{}", status.as_u16()),
        detail: Some(detail),
        retry_after,
        asked: Asked::Yes,
    }
}

/// A 2xx that says no: the provider did not take it.
pub(super) fn said_no(provider: &'static str, detail: &Value) -> SendError {
    SendError::Refused(ProviderError {
        provider,
        code: FailureCode::Validation,
        reason: "refused".into(),
        detail: Some(detail.to_string().chars().take(LONGEST_DETAIL).collect()),
        retry_after: None,
        asked: Asked::Yes,
    })
}

/// A 2xx without an id: it may have been taken.
pub(super) fn no_id(provider: &'static str) -> SendError {
    let reason = "bad_answer".to_owned();
    SendError::Unknown(ProviderError {
        provider,
        code: FailureCode::ApiError,
        reason,
        detail: None,
        retry_after: None,
        asked: Asked::Yes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certain_no_may_be_followed_by_another_try() {
        for (status, perhaps) in
            [(400, false), (401, false), (408, true), (429, false), (500, true), (502, true), (503, false), (504, true)]
        {
            assert_eq!(taken_perhaps(StatusCode::from_u16(status).unwrap()), perhaps, "{status}");
        }
    }
}
