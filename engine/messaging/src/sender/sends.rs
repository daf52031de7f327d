//! One send: claim a row, check suppressions, call the carrier, record the outcome. Calls are placed for tenants with a
//! TwiML address only; other tenants' people dial themselves.

use std::time::Duration;

use luci_config::AdminError;
use luci_leads::store::{leads, suppressions};
use luci_providers::{Accepted, ProviderError, SendError};
use luci_schema::{FailureCode, LeadId, TenantId};
use sqlx::PgConnection;
use tracing::{Instrument, Span, info_span};

use crate::{
    carriers::{Callbacks, TenantCarriers},
    rules::{channel::Channel, send_id::SendId},
    sender::{Sender, TurnStep, claim_guard::ClaimGuard},
    store::{
        attempts,
        claimed_send::ClaimedSend,
        send_settings,
        sender_numbers::{self, NumberOutcome},
        sends::{self, Released, SendRetry},
        sms_queue,
    },
};

/// A claimed send and what its call needs.
struct PreparedSend {
    claimed: ClaimedSend,
    /// The TwiML address of a call.
    voice_url: Option<String>,
    /// Pause after the send.
    pause_ms: u32,
}

impl Sender {
    /// Sends the tenant's next due message or call, if limits and windows allow one now.
    pub(super) async fn step(&self, tenant: TenantId, channel: Channel) -> Result<TurnStep, AdminError> {
        let carriers = self.carriers(tenant).await?;
        let Some((send, guard)) = self.claim(tenant, channel, &carriers).await? else { return Ok(TurnStep::Idle) };
        let span = span(tenant, &send.claimed);
        let step = self.attempt(tenant, &carriers, &send, guard).instrument(span).await?;
        self.pause(send.pause_ms).await;
        Ok(step)
    }

    /// Calls the carrier and records the outcome.
    async fn attempt(
        &self,
        tenant: TenantId,
        carriers: &TenantCarriers,
        send: &PreparedSend,
        guard: ClaimGuard,
    ) -> Result<TurnStep, AdminError> {
        let claimed = &send.claimed;
        let report_url = self.accounts.report_url(claimed.carrier);
        let callbacks = Callbacks { voice_url: send.voice_url.as_deref(), report_url: report_url.as_deref() };
        if guard.has_expired() {
            tracing::warn!(send.id = %claimed.id, "send not attempted: the claim took too long");
            return self.release_unsent(tenant, claimed).await;
        }
        match carriers.send(claimed, callbacks).await {
            None => {
                tracing::warn!(send.id = %claimed.id, "send not attempted: the carrier account or voiceUrl is gone");
                self.release_unsent(tenant, claimed).await
            }
            Some(Ok(accepted)) => {
                self.record_accepted(tenant, claimed, &accepted).await?;
                count(claimed.id.channel(), if claimed.id.channel() == Channel::Call { "placed" } else { "sent" });
                Ok(TurnStep::Done)
            }
            Some(Err(SendError::Refused(error))) => self.record_refused(tenant, claimed, &error).await,
            Some(Err(SendError::Unknown(error))) => {
                // The row stays claimed. `settle` asks the provider once the claim has timed out.
                count(claimed.id.channel(), "unknown");
                tracing::warn!(send.id = %claimed.id, reason = error.reason.as_str(), "send outcome unknown");
                Ok(TurnStep::Rest(self.options.claim_timeout))
            }
        }
    }

    /// Claims the next due row. The claim is committed when this returns; the guard has run since before it.
    async fn claim(
        &self,
        tenant: TenantId,
        channel: Channel,
        carriers: &TenantCarriers,
    ) -> Result<Option<(PreparedSend, ClaimGuard)>, AdminError> {
        let mut tx = self.pool.begin().await?;
        if !sends::lock(&mut tx, tenant, channel).await? {
            return Ok(None);
        }
        let guard = ClaimGuard::start(self.options.claim_timeout);
        if channel == Channel::Sms {
            sms_queue::release_approved(&mut tx, tenant).await?;
        }
        let due = sends::any_due(&mut tx, tenant, channel).await?;
        let prepared = if due { prepare(&mut tx, tenant, channel, carriers).await? } else { None };
        tx.commit().await?;
        Ok(prepared.map(|send| (send, guard)))
    }

    /// Makes a claimed row pending again whose provider was certainly not called. Does nothing if another process has
    /// claimed the row since.
    async fn release_unsent(&self, tenant: TenantId, claimed: &ClaimedSend) -> Result<TurnStep, AdminError> {
        let mut c = self.pool.acquire().await?;
        let retry = SendRetry::Uncounted(Duration::ZERO);
        sends::release(&mut c, tenant, claimed, (FailureCode::Internal.as_str(), retry)).await?;
        count(claimed.id.channel(), "not_attempted");
        Ok(TurnStep::Rest(self.options.poll))
    }

    async fn record_accepted(
        &self,
        tenant: TenantId,
        claimed: &ClaimedSend,
        accepted: &Accepted,
    ) -> Result<(), AdminError> {
        let (id, carrier) = (claimed.id, Some(claimed.carrier));
        let mut tx = self.pool.begin().await?;
        sends::accepted(&mut tx, tenant, id, &accepted.id).await?;
        attempts::sent(&mut tx, tenant, id, carrier, (&accepted.id, &accepted.status)).await?;
        leads::mark_contacted(&mut tx, tenant, claimed.lead_id).await?;
        sender_numbers::record_outcome(&mut tx, tenant, &claimed.from, NumberOutcome::Success).await?;
        Ok(tx.commit().await?)
    }

    async fn record_refused(
        &self,
        tenant: TenantId,
        claimed: &ClaimedSend,
        error: &ProviderError,
    ) -> Result<TurnStep, AdminError> {
        let ((retry, rest), code) = (self.retry_of(error), error.code.as_str());
        let mut tx = self.pool.begin().await?;
        if sends::release(&mut tx, tenant, claimed, (code, retry)).await? == Released::Failed {
            attempts::failed(&mut tx, tenant, claimed.id, (code, error.reason.as_str())).await?;
            sender_numbers::record_outcome(&mut tx, tenant, &claimed.from, NumberOutcome::Failure).await?;
        }
        tx.commit().await?;
        count(claimed.id.channel(), "refused");
        tracing::warn!(send.id = %claimed.id, code, reason = error.reason.as_str(), "send refused");
        Ok(rest.map_or(TurnStep::Done, TurnStep::Rest))
    }

    /// Resolves claims that no sender finished: asks the provider, and holds what it does not know for a person.
    pub(super) async fn settle(&self, tenant: TenantId, channel: Channel) -> Result<(), AdminError> {
        loop {
            let abandoned = {
                let mut c = self.pool.acquire().await?;
                sends::claim_abandoned(&mut c, tenant, channel, self.options.claim_timeout).await?
            };
            let Some(claimed) = abandoned else { return Ok(()) };
            let span = span(tenant, &claimed);
            if !self.settle_one(tenant, &claimed).instrument(span).await? {
                return Ok(());
            }
        }
    }

    /// False: the provider could not be asked.
    async fn settle_one(&self, tenant: TenantId, claimed: &ClaimedSend) -> Result<bool, AdminError> {
        match self.carriers(tenant).await?.find(claimed).await {
            Ok(Some(accepted)) => {
                self.record_accepted(tenant, claimed, &accepted).await?;
                count(claimed.id.channel(), "found");
            }
            Ok(None) => self.hold_unknown(tenant, claimed).await?,
            Err(error) => {
                tracing::warn!(send.id = %claimed.id, %error, "send lookup failed");
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn hold_unknown(&self, tenant: TenantId, claimed: &ClaimedSend) -> Result<(), AdminError> {
        let mut tx = self.pool.begin().await?;
        if !sends::hold_unknown(&mut tx, tenant, claimed).await? {
            // Fenced: this process was suspended during the lookup, and another one has claimed the row.
            return Ok(());
        }
        attempts::failed(&mut tx, tenant, claimed.id, ("unknown_outcome", "held")).await?;
        tx.commit().await?;
        count(claimed.id.channel(), "held");
        tracing::warn!(send.id = %claimed.id, "send held: outcome unknown, a person must approve or reject it");
        Ok(())
    }
}

/// One attempt at a send.
fn span(tenant: TenantId, claimed: &ClaimedSend) -> Span {
    let (provider, attempt) = (claimed.carrier.as_str(), claimed.attempts);
    match claimed.id {
        SendId::Message(id) => info_span!("send", tenant.id = %tenant, message.id = %id, provider, attempt),
        SendId::Call(id) => info_span!("send", tenant.id = %tenant, call.id = %id, provider, attempt),
    }
}

async fn prepare(
    c: &mut PgConnection,
    tenant: TenantId,
    channel: Channel,
    carriers: &TenantCarriers,
) -> Result<Option<PreparedSend>, AdminError> {
    let settings = send_settings::settings(c, tenant).await?;
    let voice_url = settings.voice_url.clone().filter(|_| channel == Channel::Call);
    let usable = match channel {
        Channel::Sms => carriers.for_messages(),
        Channel::Call if voice_url.is_some() => carriers.for_calls(),
        Channel::Call => Vec::new(),
    };
    if usable.is_empty() || sends::remaining(c, tenant, channel, &settings).await?.is_exhausted() {
        return Ok(None);
    }
    while let Some(due) = sends::lock_next(c, tenant, channel, &settings).await? {
        // Checked under the row's lock: an earlier opt-out is seen, a later one waits for this transaction.
        if is_suppressed(c, tenant, due.lead_id, &due.to).await? {
            sends::cancel(c, tenant, due.id, "suppressed").await?;
            attempts::cancelled(c, tenant, &[due.id], "suppressed").await?;
            count(channel, "suppressed");
            continue;
        }
        for &carrier in &usable {
            if let Some(from) = sender_numbers::next(c, tenant, carrier).await? {
                let claimed = sends::claim(c, tenant, due.id, (carrier, &from)).await?;
                return Ok(Some(PreparedSend { claimed, voice_url, pause_ms: settings.pause_ms }));
            }
        }
        return Ok(None);
    }
    Ok(None)
}

/// Whether the lead or the number must not be contacted.
async fn is_suppressed(
    c: &mut PgConnection,
    tenant: TenantId,
    lead: LeadId,
    number: &str,
) -> Result<bool, sqlx::Error> {
    Ok(!suppressions::among(c, tenant, &[number], &[]).await?.is_empty()
        || leads::contactable(c, tenant, &[lead]).await?.is_empty())
}

fn count(channel: Channel, outcome: &'static str) {
    metrics::counter!("luci_sends_total", "channel" => channel.as_str(), "outcome" => outcome).increment(1);
}
