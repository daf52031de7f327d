//! One HTTP call: sent, tried again where that can help, and its failure put into one of six codes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use luci_schema::{FailureCode, Micros, TenantId};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::{
    ProviderName,
    account::Account,
    breaker::{Heard, Turn},
    config::RetryPolicy,
    toll::{Errand, Toll},
    weather::{Cloud, Ended, Station},
};
use crate::provider::{Asked, ProviderError};

/// A thousand traced people are some 4 MB.
const LARGEST_ANSWER: usize = 32 << 20;
const LONGEST_DETAIL: usize = 300;

pub struct Caller {
    pub(super) provider: ProviderName,
    pub(super) tenant: TenantId,
    pub(super) client: Client,
    pub(super) account: Arc<Account>,
    pub(super) retry: RetryPolicy,
    /// How long a try again waits for a limit.
    pub(super) patience: Duration,
    pub(super) station: Station,
    pub(super) pool: PgPool,
}

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

/// An address that can be called.
pub fn checked(provider: ProviderName, base_url: &str) -> Result<(), String> {
    let url = Url::parse(base_url).map_err(|error| format!("{provider}: {base_url}: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(()),
        _ => Err(format!("{provider}: {url} is neither http nor https")),
    }
}

impl Caller {
    pub fn error(&self, code: FailureCode, reason: &str) -> ProviderError {
        ProviderError::new(self.provider, code, reason)
    }

    pub fn key(&self) -> &str {
        self.account.credential.key.expose_secret()
    }

    /// What stands beside the key, where the provider wants something there.
    pub fn account_name(&self) -> Option<&SecretString> {
        self.account.credential.account.as_ref()
    }

    /// How work that the provider has yet to do is looked after.
    pub const fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.account.base_url.trim_end_matches('/'))
    }

    /// Posts JSON with the key in `x-api-key`, and reads JSON.
    pub async fn post(
        &self,
        path: &str,
        errand: Errand<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<Value, ProviderError> {
        let body = serde_json::to_vec(body).map_err(|_| self.error(FailureCode::Internal, "bad_request"))?;
        let (url, body) = (self.url(path), Bytes::from(body));
        let request = |client: &Client| {
            let request = client.post(&url).header("x-api-key", self.key());
            request.header(header::CONTENT_TYPE, "application/json").body(body.clone())
        };
        self.ask(errand, request).await
    }

    /// Sends what `request` makes until it is answered or another try is not worth it, and reads JSON. The root run lets the
    /// provider's support find the call.
    pub async fn ask(
        &self,
        errand: Errand<'_>,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Value, ProviderError> {
        let (correlation, mut toll, mut tried) = (errand.asking.root_run.to_string(), errand.toll, 0);
        loop {
            if toll == Toll::Due {
                self.pay(errand).await?;
            }
            toll = Toll::Due;
            if let Err(until) = self.account.breaker.enter(Micros::now()) {
                return Err(self.paused(until));
            }
            let began = Micros::now();
            let outcome = self.once(&correlation, request(&self.client)).await;
            self.measure(began, outcome.as_ref().map(drop));
            let Err(error) = outcome else { return outcome };
            let wait = self.wait(tried, &error).filter(|_| tried < self.retry.retries);
            let Some(wait) = wait else { return Err(error) };
            tried += 1;
            let (provider, wait_ms) = (self.provider.as_str(), wait.as_millis());
            tracing::debug!(provider, reason = error.reason, tried, wait_ms, "asking again");
            tokio::time::sleep(wait).await;
        }
    }

    pub(super) fn paused(&self, until: Micros) -> ProviderError {
        let wait = Duration::from_micros(u64::try_from(until.0 - Micros::now().0).unwrap_or(0));
        let error = self.error(FailureCode::ApiError, "provider_down");
        ProviderError { retry_after: Some(wait), asked: Asked::No, ..error }
    }

    pub(super) fn measure(&self, began: Micros, outcome: Result<(), &ProviderError>) {
        let now = Micros::now();
        let word = outcome.map_or_else(|error| error.code.as_str(), |()| "ok");
        let provider = self.provider.as_str();
        metrics::counter!("luci_provider_calls_total", "provider" => provider, "outcome" => word).increment(1);
        let seconds = (now.0 - began.0) as f64 / 1e6;
        metrics::histogram!("luci_provider_call_seconds", "provider" => provider).record(seconds);
        let (ended, heard) = match outcome.map_err(|error| error.code) {
            Err(FailureCode::RateLimit) => (Ended::Limited, Heard::Answer),
            Err(FailureCode::ApiError | FailureCode::Timeout) => (Ended::Failed, Heard::Nothing),
            Err(FailureCode::Validation | FailureCode::Auth | FailureCode::Internal) => (Ended::Failed, Heard::Answer),
            Ok(_) => (Ended::Answered, Heard::Answer),
        };
        self.station.call(self.tenant, self.provider, ended, now);
        if let Err(ProviderError { code: FailureCode::RateLimit, retry_after: Some(wait), .. }) = outcome
            && *wait > self.retry.longest_wait
        {
            let until = now.plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            self.station.cloud(self.provider, self.account.scope, Cloud::Limited, until);
        }
        match self.account.breaker.told(heard, now) {
            Some(Turn::BrokenUntil(until)) => {
                tracing::warn!(provider, until = %until.rfc3339(), "a provider does not answer and is left alone");
                self.station.cloud(self.provider, self.account.scope, Cloud::Broken, until);
            }
            Some(Turn::Well) => self.station.cloud(self.provider, self.account.scope, Cloud::Broken, now),
            None => {}
        }
    }

    /// How long to wait before the next try; `None` when another try is not worth it.
    pub(super) fn wait(&self, tried: u32, error: &ProviderError) -> Option<Duration> {
        if !error.code.retryable() {
            return None;
        }
        match error.retry_after {
            Some(wanted) => Some(wanted).filter(|wanted| *wanted <= self.retry.longest_wait),
            None => Some(self.retry.base.saturating_mul(1 << tried.min(16)).min(self.retry.cap)),
        }
    }

    async fn once(&self, correlation: &str, request: RequestBuilder) -> Result<Value, ProviderError> {
        let response = known(request, correlation).send().await.map_err(|error| self.broken(&error))?;
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
        ProviderError { detail: Some(detail), retry_after, ..self.error(code, &reason) }
    }

    fn code(&self, status: StatusCode) -> (FailureCode, String) {
        let code = match status.as_u16() {
            // RealEstateAPI says 403 when the credits are used up.
            403 if self.provider == ProviderName::RealEstate => return (FailureCode::Auth, "credits".into()),
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

/// What every call carries.
pub(super) fn known(request: RequestBuilder, correlation: &str) -> RequestBuilder {
    let request = request.header("x-correlation-id", correlation).header("x-client", "luci");
    request.header(header::ACCEPT, "application/json")
}

/// The body, or a word for why there is none.
pub(super) async fn read_at_most(response: Response, largest: usize) -> Result<Vec<u8>, &'static str> {
    let mut answer = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        answer.extend_from_slice(&chunk.map_err(|error| if error.is_timeout() { "timeout" } else { "connection" })?);
        if answer.len() > largest {
            return Err("answer_too_large");
        }
    }
    Ok(answer)
}

/// `Retry-After`: seconds, or a date.
pub(super) fn after(value: &str) -> Option<Duration> {
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
