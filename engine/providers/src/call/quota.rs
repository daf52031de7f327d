//! What each call takes from the limits: the first try by the grant that allowed it, each retry by its own.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use luci_schema::{FailureCode, Micros, Stage};

use super::Caller;
use crate::{
    answer::LookupContext,
    error::ProviderError,
    health::Outage,
    limits::{self, Grant},
    reason::Reason,
};

/// A call to be made, and what it takes from the limits.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    pub context: LookupContext<'a>,
    pub stage: Stage,
    /// People that the call asks about; 0 when it only polls what was asked before.
    pub people: usize,
    pub quota: Quota,
    /// Counts the requests that the provider may have billed although no answer came.
    pub unanswered: &'a AtomicU32,
}

impl Charge<'_> {
    pub const fn for_people(self, people: usize) -> Self {
        Self { people, ..self }
    }

    /// The request may have arrived, and its answer was lost.
    pub(super) fn count_unanswered(&self) {
        if self.people > 0 {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether the people of a call were taken from the limits already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    Taken,
    /// The provider counts every try: a retry takes its people again.
    Due,
}

/// Between two requests for quota.
const MIN_PAUSE: Duration = Duration::from_millis(50);

impl Caller {
    /// Takes the people of a retry from the limits, waiting at most `max_quota_wait` in total. The provider received the
    /// query before, so the error counts as a call that was made.
    pub(super) async fn take_quota(&self, charge: Charge<'_>) -> Result<(), ProviderError> {
        if charge.people == 0 || self.account.limits.is_none() {
            return Ok(());
        }
        let mut wait_left = self.max_quota_wait;
        loop {
            let grant = self.take_all_or_none(charge).await.map_err(|error| ProviderError {
                detail: Some(error.to_string()),
                ..self.error(FailureCode::RateLimit, Reason::LimitsUnreadable)
            })?;
            if grant.people == charge.people {
                return Ok(());
            }
            if grant.wait > wait_left {
                return Err(self.record_quota_exceeded(grant.wait));
            }
            wait_left -= grant.wait;
            tokio::time::sleep(grant.wait.max(MIN_PAUSE)).await;
        }
    }

    /// A grant for a part of the people is given back.
    async fn take_all_or_none(&self, charge: Charge<'_>) -> Result<Grant, sqlx::Error> {
        let (account, tenant) = (&self.account, charge.context.tenant);
        let mut c = self.pool.acquire().await?;
        let grant =
            limits::take(&mut c, tenant, account.provider, account.scope, &account.limits, charge.people).await?;
        if (1..charge.people).contains(&grant.people) {
            limits::give_back(&mut c, tenant, account.provider, account.scope, grant.people).await?;
        }
        Ok(grant)
    }

    fn record_quota_exceeded(&self, wait: Duration) -> ProviderError {
        let until = Micros::now().plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.health.outage(self.provider, self.account.scope, Outage::Limited, until);
        ProviderError { retry_after: Some(wait), ..self.error(FailureCode::RateLimit, Reason::Limit) }
    }
}
