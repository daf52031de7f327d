//! What all exchanges with providers have in common: the client, headers, bodies, and the error of a refusal.

use std::time::Duration;

use futures::StreamExt;
use luci_schema::{FailureCode, Micros, TraceContext, trace::TRACEPARENT};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header, redirect};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{error::ProviderError, name::ProviderName, reason::Reason};

/// No redirects, since they would carry the key elsewhere, and no proxy from the environment.
pub fn client(timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(5)))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("luci/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Fails on anything but an absolute http or https URL.
pub fn check_url(provider: ProviderName, base_url: &str) -> Result<(), String> {
    let url = Url::parse(base_url).map_err(|error| format!("{provider}: {base_url}: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(()),
        _ => Err(format!("{provider}: {url} is neither http nor https")),
    }
}

/// The headers of every call.
pub(super) fn with_headers(request: RequestBuilder, correlation: &str) -> RequestBuilder {
    let request = request.header("x-correlation-id", correlation).header("x-client", "luci");
    request.header(header::ACCEPT, "application/json")
}

/// Names the trace that the call belongs to, by which a provider that is traced too continues it.
pub(super) fn traced(request: RequestBuilder) -> RequestBuilder {
    match TraceContext::current() {
        Some(trace) => request.header(TRACEPARENT, trace.to_string()),
        None => request,
    }
}

/// The body, up to `max_bytes`.
pub(super) async fn read_at_most(response: Response, max_bytes: usize) -> Result<Vec<u8>, (FailureCode, Reason)> {
    let mut answer = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| match error.is_timeout() {
            true => (FailureCode::Timeout, Reason::Timeout),
            false => (FailureCode::ApiError, Reason::Connection),
        })?;
        answer.extend_from_slice(&chunk);
        if answer.len() > max_bytes {
            return Err((FailureCode::ApiError, Reason::AnswerTooLarge));
        }
    }
    Ok(answer)
}

/// `Retry-After`: seconds, or a date.
pub(super) fn parse_retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = Micros::from(OffsetDateTime::parse(value.trim(), &Rfc2822).ok()?);
    Some(Duration::from_micros(u64::try_from(at.0 - Micros::now().0).unwrap_or(0)))
}

/// The error of an answer that is not 2xx.
pub(super) fn refusal(
    provider: &'static str,
    status: StatusCode,
    retry_after: Option<Duration>,
    detail: String,
) -> ProviderError {
    let code = match status.as_u16() {
        401 | 403 => FailureCode::Auth,
        408 => FailureCode::Timeout,
        429 => FailureCode::RateLimit,
        400 | 404 | 422 => FailureCode::Validation,
        500..=599 => FailureCode::ApiError,
        _ => FailureCode::Internal,
    };
    let error = ProviderError::of(provider, code, Reason::http(status.as_u16()));
    ProviderError { detail: Some(detail), retry_after, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(parse_retry_after(" 12 "), Some(Duration::from_secs(12)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let far = parse_retry_after("Fri, 31 Dec 9998 23:59:59 GMT").unwrap();
        assert!(far > Duration::from_secs(1 << 30), "{far:?}");
        assert_eq!(parse_retry_after("soon"), None);
    }
}
