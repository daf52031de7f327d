//! The sender: sends queued messages and calls through the carriers, tenant by tenant, within windows and limits. Any
//! number of senders may run at once.
//!
//! A row is claimed and committed before its provider is called. A claimed row is sent again only when the provider
//! certainly did not take it. When that is unknown, the provider is asked, and otherwise a person decides. So no message is
//! ever sent twice, whatever crashes.

mod claim_guard;
pub mod journal;
mod prepare;
mod retargets;
pub mod send_wait;
mod sends;
mod zones;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use luci_config::AdminError;
use luci_providers::ProviderError;
use luci_schema::{FailureCode, TenantId, log::Log};
use luci_storage::Storage;
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    carriers::TenantCarriers,
    rules::channel::Channel,
    store::{sender_numbers, sends::SendRetry},
};

pub use crate::carriers::{CarrierAccounts, SendersConfig};

pub use crate::carriers::{signalhouse::SignalHouseAccess, twilio::TwilioAccess};

/// Tenants that are read at once.
const TENANT_PAGE: u32 = 500;
/// Rest of a tenant after an error of the database, the vault or the log.
const ERROR_REST: Duration = Duration::from_secs(10);

/// Interval of deletions of old entries of the send journal.
const JOURNAL_CLEANUP: Duration = Duration::from_secs(6 * 3_600);

/// How the sender works.
#[derive(Debug, Clone)]
pub struct SenderOptions {
    /// Between two passes when nothing was sent.
    pub poll: Duration,
    /// Of one provider call, response included.
    pub call_timeout: Duration,
    /// The age at which a claim counts as abandoned. At least three times `call_timeout`.
    pub claim_timeout: Duration,
    /// Before a refused send is retried, when the provider does not say.
    pub retry: Duration,
    /// Sends of one tenant before the next tenant's turn.
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

/// The result of one step in a tenant's queue.
enum TurnStep {
    /// A send was attempted; more may be due.
    Done,
    /// Nothing is due.
    Idle,
    /// The tenant rests for this time: its carrier does not work.
    Rest(Duration),
}

struct Sender {
    options: SenderOptions,
    pool: PgPool,
    accounts: Arc<CarrierAccounts>,
    log: Log,
    /// Where the send journal is.
    storage: Storage,
    /// Tenants that rest, and until when.
    resting: Mutex<HashMap<TenantId, Instant>>,
    stop: CancellationToken,
}

/// Runs until `stop` is cancelled, then finishes the current send. `pool` has role `luci_engine`.
pub async fn run(
    options: SenderOptions,
    (pool, log, storage): (PgPool, Log, Storage),
    accounts: Arc<CarrierAccounts>,
    stop: CancellationToken,
) -> Result<(), AdminError> {
    let sender = Sender { options, pool, accounts, log, storage, resting: Mutex::default(), stop };
    let mut journal_cleaned: Option<Instant> = None;
    while !sender.stop.is_cancelled() {
        if journal_cleaned.is_none_or(|at| at.elapsed() > JOURNAL_CLEANUP) {
            sender.clean_journal().await;
            journal_cleaned = Some(Instant::now());
        }
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
    async fn clean_journal(&self) {
        match journal::delete_old(&self.storage).await {
            Ok(0) => {}
            Ok(entries) => tracing::info!(entries, "old entries of the send journal deleted"),
            Err(error) => tracing::warn!(%error, "send journal not cleaned"),
        }
    }

    /// A turn for each tenant. Whether anything was sent.
    async fn pass(&self) -> Result<bool, AdminError> {
        let (mut any, mut after) = (false, None);
        loop {
            let tenants = sender_numbers::tenants(&mut *self.pool.acquire().await?, after, TENANT_PAGE).await?;
            let full = tenants.len() == TENANT_PAGE as usize;
            after = tenants.last().copied();
            let turns = stream::iter(tenants).map(|tenant| self.turn_or_rest(tenant));
            any |=
                turns.buffer_unordered(self.options.tenants).fold(false, |any, sent| async move { any | sent }).await;
            if !full || self.stop.is_cancelled() {
                return Ok(any);
            }
        }
    }

    /// An error of one tenant does not stop the others.
    async fn turn_or_rest(&self, tenant: TenantId) -> bool {
        if self.is_resting(tenant) {
            return false;
        }
        self.turn(tenant).await.unwrap_or_else(|error| {
            tracing::warn!(tenant.id = %tenant, %error, "sender turn failed");
            self.rest(tenant, ERROR_REST);
            false
        })
    }

    async fn turn(&self, tenant: TenantId) -> Result<bool, AdminError> {
        self.settle(tenant, Channel::Sms).await?;
        self.settle(tenant, Channel::Call).await?;
        self.retargets(tenant).await?;
        let mut any = false;
        for turn in 0..self.options.turn * 2 {
            if self.stop.is_cancelled() {
                break;
            }
            let channel = if turn % 2 == 0 { Channel::Sms } else { Channel::Call };
            match self.step(tenant, channel).await? {
                TurnStep::Done => any = true,
                TurnStep::Idle if turn > 0 && !any => break,
                TurnStep::Idle => {}
                TurnStep::Rest(wait) => {
                    self.rest(tenant, wait);
                    break;
                }
            }
        }
        Ok(any)
    }

    async fn carriers(&self, tenant: TenantId) -> Result<TenantCarriers, AdminError> {
        let mut c = self.pool.acquire().await?;
        self.accounts.of(&mut c, tenant).await.map_err(AdminError::Vault)
    }

    fn is_resting(&self, tenant: TenantId) -> bool {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|_, until| *until > Instant::now());
        resting.contains_key(&tenant)
    }

    fn rest(&self, tenant: TenantId, wait: Duration) {
        let until = Instant::now() + wait;
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, until);
    }

    /// How a refused send is retried, and how long the tenant rests when the send itself is not at fault. For refusals whose
    /// code says no more.
    fn retry_of(&self, error: &ProviderError) -> (SendRetry, Option<Duration>) {
        let wait = error.retry_after.unwrap_or(self.options.retry);
        match error.code {
            FailureCode::RateLimit | FailureCode::Auth => (SendRetry::Uncounted(wait), Some(wait)),
            FailureCode::ApiError | FailureCode::Timeout => (SendRetry::Counted(wait), Some(wait)),
            FailureCode::Validation | FailureCode::Internal | FailureCode::Integrity => (SendRetry::Never, None),
        }
    }

    async fn pause(&self, millis: u32) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(u64::from(millis))) => {}
        }
    }
}

fn count(channel: Channel, outcome: &'static str) {
    metrics::counter!("luci_sends_total", "channel" => channel.as_str(), "outcome" => outcome).increment(1);
}
