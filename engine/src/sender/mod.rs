//! The sender: drains the queues of text messages and calls through outside providers, tenant by tenant, within windows
//! and limits. Any number may run.
//!
//! A row is committed as taken before its provider is called. What was taken is sent again only when the provider said
//! that it did not take it; when nobody knows, the provider is asked, and else a person decides. So nobody is ever sent
//! the same message twice, whatever crashes.

mod messengers;
mod retargets;
mod sends;
pub mod waiting;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use luci_schema::{FailureCode, TenantId};
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use messengers::{Messengers, SIGNALHOUSE_URL, SendersConfig, TWILIO_URL};

pub use crate::providers::{SignalHouseAccess, TwilioAccess};

use self::messengers::Carriers;
use crate::{
    admin::{AdminError, sending},
    book::sends::{Next, Queue},
    provider::ProviderError,
};

/// How the sender works.
#[derive(Debug, Clone)]
pub struct SenderOptions {
    /// Between two looks at empty queues.
    pub poll: Duration,
    /// Of one call of a provider, answer included.
    pub call_timeout: Duration,
    /// After so long a taken message is taken to be abandoned. Much longer than a call.
    pub claim_timeout: Duration,
    /// Before a refused message is tried again, when the provider does not say.
    pub retry: Duration,
    /// Messages of one tenant before it is the next one's turn.
    pub turn: u32,
    /// Tenants that are served at once.
    pub tenants: usize,
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            call_timeout: Duration::from_secs(10),
            claim_timeout: Duration::from_secs(30),
            retry: Duration::from_secs(60),
            turn: 10,
            tenants: 8,
        }
    }
}

/// What came of one look at a tenant's queue.
enum Step {
    /// Something was done; there may be more.
    Done,
    /// Nothing is due.
    Nothing,
    /// The provider is in trouble: this tenant rests.
    Rest(Duration),
}

struct Sender {
    options: SenderOptions,
    pool: PgPool,
    messengers: Arc<Messengers>,
    /// Tenants that wait for their provider to recover.
    resting: Mutex<HashMap<TenantId, Instant>>,
    stop: CancellationToken,
}

/// Works until told to stop, then finishes the message in hand. `pool` has role `luci_engine`.
pub async fn run(
    options: SenderOptions,
    pool: PgPool,
    messengers: Arc<Messengers>,
    stop: CancellationToken,
) -> Result<(), AdminError> {
    let sender = Sender { options, pool, messengers, resting: Mutex::default(), stop };
    while !sender.stop.is_cancelled() {
        if !sender.pass().await? {
            tokio::select! {
                () = sender.stop.cancelled() => {}
                () = tokio::time::sleep(sender.options.poll) => {}
            }
        }
    }
    Ok(())
}

impl Sender {
    /// A turn for each tenant. Whether anything was done.
    async fn pass(&self) -> Result<bool, AdminError> {
        let tenants = sending::tenants(&mut *self.pool.acquire().await?).await?;
        let turns = stream::iter(tenants).map(|tenant| async move {
            if self.rests(tenant) {
                return false;
            }
            self.turn(tenant).await.unwrap_or_else(|error| {
                // One tenant's trouble is not another's.
                tracing::warn!(tenant.id = %tenant, %error, "a tenant's queue was not drained");
                self.rest(tenant, Duration::from_secs(10));
                false
            })
        });
        Ok(turns.buffer_unordered(self.options.tenants).fold(false, |any, done| async move { any | done }).await)
    }

    async fn turn(&self, tenant: TenantId) -> Result<bool, AdminError> {
        self.settle(tenant, Queue::Messages).await?;
        self.settle(tenant, Queue::Calls).await?;
        self.retargets(tenant).await?;
        let mut any = false;
        for turn in 0..self.options.turn * 2 {
            if self.stop.is_cancelled() {
                break;
            }
            let queue = if turn % 2 == 0 { Queue::Messages } else { Queue::Calls };
            match self.step(tenant, queue).await? {
                Step::Done => any = true,
                Step::Nothing if turn > 0 && !any => break,
                Step::Nothing => {}
                Step::Rest(wait) => {
                    self.rest(tenant, wait);
                    break;
                }
            }
        }
        Ok(any)
    }

    async fn carriers(&self, tenant: TenantId) -> Result<Carriers, AdminError> {
        let mut c = self.pool.acquire().await?;
        self.messengers.of(&mut c, tenant).await.map_err(AdminError::Vault)
    }

    fn rests(&self, tenant: TenantId) -> bool {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|_, until| *until > Instant::now());
        resting.contains_key(&tenant)
    }

    fn rest(&self, tenant: TenantId, wait: Duration) {
        let until = Instant::now() + wait;
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, until);
    }

    /// What follows from a certain no, and how long the tenant rests when the message is not to blame.
    fn after(&self, error: &ProviderError) -> (Next, Option<Duration>) {
        let wait = error.retry_after.unwrap_or(self.options.retry);
        match error.code {
            FailureCode::RateLimit | FailureCode::Auth => (Next::Later(wait), Some(wait)),
            FailureCode::ApiError | FailureCode::Timeout => (Next::Again(wait), Some(wait)),
            FailureCode::Validation | FailureCode::Internal => (Next::Never, None),
        }
    }

    async fn pause(&self, millis: u32) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(u64::from(millis))) => {}
        }
    }
}
