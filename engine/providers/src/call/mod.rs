//! One HTTP call: sent, retried where that can help, and its failure mapped to one of six codes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use luci_schema::{FailureCode, Micros, Stage, TenantId};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use tracing::Instrument;

use crate::{
    account::Account,
    breaker::{CallResult, StateChange},
    config::RetryPolicy,
    error::ProviderError,
    health::{Counted, HealthRecorder, Outage},
    http::{parse_retry_after, read_at_most, refusal, traced, with_headers},
    name::ProviderName,
    probe,
    reason::Reason,
};

mod quota;
mod submit;

pub use self::quota::{Charge, Quota};

/// A thousand traced people are about 4 MB.
const MAX_ANSWER_BYTES: usize = 32 << 20;
const MAX_DETAIL_CHARS: usize = 300;

/// Calls one provider with one tenant's account.
pub struct Caller {
    pub(crate) provider: ProviderName,
    pub(crate) tenant: TenantId,
    pub(crate) client: Client,
    pub(crate) account: Arc<Account>,
    pub(crate) retry: RetryPolicy,
    /// How long a retry waits for quota.
    pub(crate) max_quota_wait: Duration,
    pub(crate) health: HealthRecorder,
    pub(crate) pool: PgPool,
}

impl Caller {
    pub fn error(&self, code: FailureCode, reason: Reason) -> ProviderError {
        ProviderError::new(self.provider, code, reason)
    }

    pub fn key(&self) -> &str {
        self.account.credential.key.expose_secret()
    }

    /// The credential's second part, where the provider has one: `Descriptor::account`.
    pub fn account_name(&self) -> Option<&SecretString> {
        self.account.credential.account.as_ref()
    }

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
        charge: Charge<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<Value, ProviderError> {
        let body = serde_json::to_vec(body).map_err(|_| self.error(FailureCode::Internal, Reason::BadRequest))?;
        let (url, body) = (self.url(path), Bytes::from(body));
        let request = |client: &Client| {
            let request = client.post(&url).header("x-api-key", self.key());
            request.header(header::CONTENT_TYPE, "application/json").body(body.clone())
        };
        self.request(charge, request).await
    }

    /// Sends what `request` makes, with retries, and reads JSON. The root run is sent as the correlation id, by which the
    /// provider's support finds the call.
    pub async fn request(
        &self,
        charge: Charge<'_>,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Value, ProviderError> {
        let (correlation, mut quota, mut retries) = (charge.context.root_run.to_string(), charge.quota, 0);
        loop {
            if quota == Quota::Due {
                self.take_quota(charge).await?;
            }
            quota = Quota::Due;
            self.admitted().await?;
            let began = Micros::now();
            let call = self.once(&charge, &correlation, request(&self.client));
            let outcome = call.instrument(self.span(charge.stage, retries)).await;
            self.record(began, outcome.as_ref().map(drop));
            let Err(error) = outcome else { return outcome };
            let Some(wait) = self.retry_wait(retries, &error) else { return Err(error) };
            retries += 1;
            let (provider, wait_ms) = (self.provider.as_str(), wait.as_millis());
            tracing::debug!(provider, reason = error.reason.as_str(), retries, wait_ms, "provider call is retried");
            tokio::time::sleep(wait).await;
        }
    }

    /// Of one try; `attempt` counts from 1.
    pub(crate) fn span(&self, stage: Stage, retries: u32) -> tracing::Span {
        let (provider, attempt) = (self.provider.as_str(), retries + 1);
        tracing::info_span!("provider_call", provider, tenant.id = %self.tenant, stage = stage.as_str(), attempt)
    }

    /// Fails while the circuit breaker is open, unless the provider answers again.
    pub(crate) async fn admitted(&self) -> Result<(), ProviderError> {
        let admitted = probe::admit(&self.account.breaker, &self.client, &self.account.base_url, self.provider).await;
        admitted.map_err(|until| self.breaker_open(until))
    }

    fn breaker_open(&self, until: Micros) -> ProviderError {
        let wait = Duration::from_micros(u64::try_from(until.0 - Micros::now().0).unwrap_or(0));
        let error = self.error(FailureCode::ApiError, Reason::ProviderDown).not_made();
        ProviderError { retry_after: Some(wait), ..error }
    }

    /// Counts one try in metrics, health and breaker.
    pub(crate) fn record(&self, began: Micros, outcome: Result<(), &ProviderError>) {
        let now = Micros::now();
        let label = outcome.map_or_else(|error| error.code.as_str(), |()| "ok");
        let provider = self.provider.as_str();
        metrics::counter!("luci_provider_calls_total", "provider" => provider, "outcome" => label).increment(1);
        let seconds = (now.0 - began.0) as f64 / 1e6;
        metrics::histogram!("luci_provider_call_seconds", "provider" => provider).record(seconds);
        let (counted, result) = match outcome.map_err(|error| error.code) {
            Err(FailureCode::RateLimit) => (Counted::Limited, CallResult::Answered),
            Err(FailureCode::ApiError | FailureCode::Timeout) => (Counted::Failed, CallResult::NoAnswer),
            Err(FailureCode::Validation | FailureCode::Auth | FailureCode::Internal | FailureCode::Integrity) => {
                (Counted::Failed, CallResult::Answered)
            }
            Ok(()) => (Counted::Answered, CallResult::Answered),
        };
        self.health.call(self.tenant, self.provider, counted, now);
        let (scope, limited) = (self.account.scope, outcome.err().filter(|e| e.code == FailureCode::RateLimit));
        if let Some(wait) = limited.and_then(|error| error.retry_after)
            && wait > self.retry.max_retry_after
        {
            let until = now.plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            self.health.outage(self.provider, scope, Outage::Limited, until);
        }
        match self.account.breaker.record(result, now) {
            Some(StateChange::OpenUntil(until)) => {
                tracing::warn!(provider, account = %scope, until = %until.rfc3339(), "circuit breaker opened");
                self.health.outage(self.provider, scope, Outage::Broken, until);
            }
            Some(StateChange::Closed) => self.health.outage(self.provider, scope, Outage::Broken, now),
            None => {}
        }
    }

    /// How long to wait before the next retry; `None` when there is to be none.
    pub(crate) fn retry_wait(&self, retries: u32, error: &ProviderError) -> Option<Duration> {
        if retries >= self.retry.retries || !error.code.retryable() {
            return None;
        }
        match error.retry_after {
            Some(wait) => Some(wait).filter(|wait| *wait <= self.retry.max_retry_after),
            None => Some(self.retry.base.saturating_mul(1 << retries.min(16)).min(self.retry.cap)),
        }
    }

    async fn once(
        &self,
        charge: &Charge<'_>,
        correlation: &str,
        request: RequestBuilder,
    ) -> Result<Value, ProviderError> {
        let response = traced(with_headers(request, correlation)).send().await.map_err(|error| {
            // Without a connection, no byte of it was sent.
            if !error.is_connect() && !error.is_builder() {
                charge.count_unanswered();
            }
            self.broken(&error)
        })?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(status, response).await);
        }
        let answer = self.read(response).await.inspect_err(|_| charge.count_unanswered())?;
        // An answer that is none of the provider's documents counts as a call that was not executed.
        serde_json::from_slice(&answer).map_err(|_| self.error(FailureCode::ApiError, Reason::BadAnswer))
    }

    async fn read(&self, response: Response) -> Result<Vec<u8>, ProviderError> {
        read_at_most(response, MAX_ANSWER_BYTES).await.map_err(|(code, reason)| self.error(code, reason))
    }

    /// The request was not answered. The error's own text is not kept: it may hold the URL.
    fn broken(&self, error: &reqwest::Error) -> ProviderError {
        if error.is_timeout() {
            self.error(FailureCode::Timeout, Reason::Timeout)
        } else if error.is_builder() {
            self.error(FailureCode::Internal, Reason::BadRequest)
        } else {
            self.error(FailureCode::ApiError, Reason::Connection)
        }
    }

    async fn refused(&self, status: StatusCode, response: Response) -> ProviderError {
        let header = response.headers().get(header::RETRY_AFTER);
        let retry_after = header.and_then(|value| parse_retry_after(value.to_str().ok()?));
        let detail = self.read(response).await.unwrap_or_default();
        let detail = String::from_utf8_lossy(&detail).chars().take(MAX_DETAIL_CHARS).collect();
        self.out_of_credits(refusal(self.provider.as_str(), status, retry_after, detail))
    }

    /// Names the status by which the provider says that the account's credits are used up.
    pub(crate) fn out_of_credits(&self, error: ProviderError) -> ProviderError {
        match (self.provider.descriptor().out_of_credits, error.reason.http_status()) {
            (Some(credits), Some(status)) if credits == status => {
                ProviderError { code: FailureCode::Auth, reason: Reason::Credits, ..error }
            }
            _ => error,
        }
    }
}
