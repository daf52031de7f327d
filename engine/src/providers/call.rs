//! One HTTP call: sent, tried again where that can help, and its failure put into one of six codes.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use luci_schema::{FailureCode, Micros};
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use secrecy::ExposeSecret;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::provider::{Endpoint, ProviderError, RetryPolicy};

/// A thousand traced people are some 4 MB.
const LARGEST_ANSWER: usize = 32 << 20;
const LONGEST_DETAIL: usize = 300;

pub struct Caller {
    provider: &'static str,
    client: Client,
    endpoint: Endpoint,
    retry: RetryPolicy,
}

impl Caller {
    /// No redirects, since they would carry the key elsewhere, and no proxy taken from the environment.
    pub fn client(timeout: Duration) -> reqwest::Result<Client> {
        Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(5)))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("luci/", env!("CARGO_PKG_VERSION")))
            .build()
    }

    pub fn new(provider: &'static str, client: Client, endpoint: Endpoint, retry: RetryPolicy) -> Result<Self, String> {
        let url =
            Url::parse(&endpoint.base_url).map_err(|error| format!("{provider}: {}: {error}", endpoint.base_url))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{provider}: {url} is neither http nor https"));
        }
        Ok(Self { provider, client, endpoint, retry })
    }

    pub fn error(&self, code: FailureCode, reason: &str) -> ProviderError {
        ProviderError { provider: self.provider, code, reason: reason.into(), detail: None, retry_after: None }
    }

    /// Posts JSON and reads JSON. `correlation` lets the provider's support find the call.
    pub async fn post(&self, path: &str, correlation: &str, body: &Value) -> Result<Value, ProviderError> {
        let url = format!("{}{path}", self.endpoint.base_url.trim_end_matches('/'));
        let body = Bytes::from(body.to_string());
        let mut tried = 0;
        loop {
            let began = Micros::now();
            let outcome = self.once(&url, correlation, body.clone()).await;
            self.measure(began, &outcome);
            let Err(error) = outcome else { return outcome };
            let wait = self.wait(tried, &error).filter(|_| tried < self.retry.retries);
            let Some(wait) = wait else { return Err(error) };
            tried += 1;
            tracing::debug!(
                provider = self.provider,
                reason = error.reason,
                tried,
                wait_ms = wait.as_millis(),
                "asking again"
            );
            tokio::time::sleep(wait).await;
        }
    }

    fn measure(&self, began: Micros, outcome: &Result<Value, ProviderError>) {
        let outcome = outcome.as_ref().map_or_else(|error| error.code.as_str(), |_| "ok");
        let seconds = (Micros::now().0 - began.0) as f64 / 1e6;
        metrics::counter!("luci_provider_calls_total", "provider" => self.provider, "outcome" => outcome).increment(1);
        metrics::histogram!("luci_provider_call_seconds", "provider" => self.provider).record(seconds);
    }

    /// How long to wait before the next try; `None` when another try is not worth it.
    fn wait(&self, tried: u32, error: &ProviderError) -> Option<Duration> {
        if !error.code.retryable() {
            return None;
        }
        match error.retry_after {
            Some(wanted) => Some(wanted).filter(|wanted| *wanted <= self.retry.longest_wait),
            None => Some(self.retry.base.saturating_mul(1 << tried.min(16)).min(self.retry.cap)),
        }
    }

    async fn once(&self, url: &str, correlation: &str, body: Bytes) -> Result<Value, ProviderError> {
        let request = self
            .client
            .post(url)
            .header("x-api-key", self.endpoint.key.expose_secret())
            .header("x-correlation-id", correlation)
            .header("x-client", "luci")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(body);
        let response = request.send().await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(status, response).await);
        }
        let answer = self.read(response).await?;
        serde_json::from_slice(&answer).map_err(|_| self.error(FailureCode::ApiError, "bad_answer"))
    }

    async fn read(&self, response: Response) -> Result<Vec<u8>, ProviderError> {
        let mut answer = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            answer.extend_from_slice(&chunk.map_err(|error| self.broken(&error))?);
            if answer.len() > LARGEST_ANSWER {
                return Err(self.error(FailureCode::ApiError, "answer_too_large"));
            }
        }
        Ok(answer)
    }

    /// The connection, not the provider, said no. The error's own text holds the URL only, yet is not needed.
    fn broken(&self, error: &reqwest::Error) -> ProviderError {
        if error.is_timeout() {
            self.error(FailureCode::Timeout, "timeout")
        } else if error.is_builder() {
            self.error(FailureCode::Internal, "bad_request")
        } else {
            self.error(FailureCode::ApiError, "connection")
        }
    }

    async fn refused(&self, status: StatusCode, response: Response) -> ProviderError {
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| after(value.to_str().ok()?));
        let detail = self.read(response).await.unwrap_or_default();
        let detail = String::from_utf8_lossy(&detail).chars().take(LONGEST_DETAIL).collect();
        let (code, reason) = self.code(status);
        ProviderError { provider: self.provider, code, reason, detail: Some(detail), retry_after }
    }

    fn code(&self, status: StatusCode) -> (FailureCode, String) {
        let code = match status.as_u16() {
            // RealEstateAPI says 403 when the credits are used up.
            403 if self.provider == "realestate" => return (FailureCode::Auth, "credits".into()),
            401 | 403 => FailureCode::Auth,
            408 => FailureCode::Timeout,
            429 => FailureCode::RateLimit,
            400 | 404 | 422 => FailureCode::Validation,
            500..=599 => FailureCode::ApiError,
            _ => FailureCode::Internal,
        };
        (code, format!("http_{}", status.as_u16()))
    }
}

/// `Retry-After`: seconds, or a date.
fn after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = Micros::from(OffsetDateTime::parse(value.trim(), &Rfc2822).ok()?);
    Some(Duration::from_micros(u64::try_from(at.0 - Micros::now().0).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(after(" 12 "), Some(Duration::from_secs(12)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let far = after("Fri, 31 Dec 9998 23:59:59 GMT").unwrap();
        assert!(far > Duration::from_secs(1 << 30), "{far:?}");
        assert_eq!(after("soon"), None);
    }
}
