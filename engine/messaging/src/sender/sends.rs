//! One send: claim a row, check suppressions, call the carrier, record the outcome. Calls are placed for tenants with a
//! TwiML address only; other tenants' people dial themselves.

use std::time::Duration;

use luci_config::{AdminError, By};
use luci_leads::store::leads;
use luci_providers::{Accepted, ProviderError, SendError};
use luci_schema::{Event, FailureCode, Micros, TenantId, TraceContext, Version, log::halted, trace};
use sqlx::PgConnection;
use tracing::{Instrument, Span, info_span};

use crate::{
    carriers::{Callbacks, TenantCarriers},
    recipients, reports,
    rules::{
        channel::Channel,
        refusal::{self, Fault},
        send_id::SendId,
    },
    sender::{
        Sender, TurnStep,
        claim_guard::ClaimGuard,
        count, journal,
        prepare::{PreparedSend, prepare},
    },
    store::{
        attempts,
        claimed_send::ClaimedSend,
        early_reports,
        send_settings::append_to_tenant,
        sender_numbers::{self, NumberOutcome},
        sends::{self, Released, SendRetry},
        sms_queue,
    },
};

impl Sender {
    /// Sends the tenant's next due message or call, if limits and windows allow one now.
    pub(super) async fn step(&self, tenant: TenantId, channel: Channel) -> Result<TurnStep, AdminError> {
        let carriers = self.carriers(tenant).await?;
        let Some((send, guard)) = self.claim(tenant, channel, &carriers).await? else { return Ok(TurnStep::Idle) };
        let of_run = self.trace(tenant, &send.claimed).await;
        let step = trace::continued(of_run, async {
            // Made within the trace, so that it is a part of it.
            let span = span(tenant, &send.claimed);
            self.attempt(tenant, &carriers, &send, guard).instrument(span).await
        });
        let step = step.await?;
        self.pause(send.pause_ms).await;
        Ok(step)
    }

    /// The trace of the request that queued the run, however long ago; the log keeps it.
    async fn trace(&self, tenant: TenantId, claimed: &ClaimedSend) -> Option<TraceContext> {
        let first = self.log.read_stream(tenant, claimed.run_id.into(), Version(0), 1).await;
        let first =
            first.inspect_err(|error| tracing::debug!(send.id = %claimed.id, %error, "trace of a send not read"));
        first.ok()?.first()?.trace()
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
        match journal::write(&self.storage, tenant, claimed).await {
            Ok(true) => {}
            Ok(false) => {
                self.hold_unknown(tenant, claimed).await?;
                return Ok(TurnStep::Done);
            }
            Err(error) => {
                tracing::warn!(send.id = %claimed.id, %error, "send not attempted: the send journal cannot be written");
                return self.release_unsent(tenant, claimed).await;
            }
        }
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
        // What a restored database still has to send may have been sent.
        if halted(&mut tx).await?.is_some() || !sends::lock(&mut tx, tenant, channel).await? {
            return Ok(None);
        }
        let guard = ClaimGuard::start(self.options.claim_timeout);
        if channel == Channel::Sms {
            sms_queue::release_approved(&mut tx, tenant).await?;
        }
        super::zones::record_missing(&mut tx, tenant, channel).await?;
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
        early_reports::lock(&mut tx, tenant, &accepted.id).await?;
        sends::accepted(&mut tx, tenant, id, &accepted.id).await?;
        attempts::sent(&mut tx, tenant, id, carrier, (&accepted.id, &accepted.status)).await?;
        leads::mark_contacted(&mut tx, tenant, claimed.lead_id).await?;
        sender_numbers::record_outcome(&mut tx, tenant, &claimed.from, NumberOutcome::Success).await?;
        let events = reports::apply_early(&mut tx, tenant, (id, &accepted.id), Micros::now()).await?;
        self.append(&mut tx, tenant, events).await?;
        tx.commit().await?;
        self.log.wake();
        Ok(())
    }

    /// Appends events to the tenant's stream, inside the transaction.
    async fn append(&self, c: &mut PgConnection, tenant: TenantId, events: Vec<Event>) -> Result<(), AdminError> {
        for event in events {
            append_to_tenant(c, tenant, &self.log, event, &By::system(), None).await?;
        }
        Ok(())
    }

    async fn record_refused(
        &self,
        tenant: TenantId,
        claimed: &ClaimedSend,
        error: &ProviderError,
    ) -> Result<TurnStep, AdminError> {
        let vendor = error.detail.as_deref().and_then(refusal::code_in);
        if let Some((code, fault)) = vendor.and_then(|code| refusal::fault(&code).map(|fault| (code, fault))) {
            return self.record_fault(tenant, claimed, error, (&code, fault)).await;
        }
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

    /// The carrier's own code says who is at fault. Only an unknown code counts against the sender number.
    async fn record_fault(
        &self,
        tenant: TenantId,
        claimed: &ClaimedSend,
        error: &ProviderError,
        (code, fault): (&str, Fault),
    ) -> Result<TurnStep, AdminError> {
        let wait = error.retry_after.unwrap_or(self.options.retry);
        let mut tx = self.pool.begin().await?;
        let retry = match fault {
            Fault::Recipient(_) => SendRetry::Never,
            Fault::Sender | Fault::Outage => SendRetry::Uncounted(wait),
        };
        let released = sends::release(&mut tx, tenant, claimed, (code, retry)).await?;
        if released == Released::Failed {
            attempts::failed(&mut tx, tenant, claimed.id, (code, error.reason.as_str())).await?;
        }
        let (events, step) = match fault {
            Fault::Recipient(fault) => {
                let refused = recipients::refused(&mut tx, tenant, &claimed.to, (fault, code, Micros::now()));
                (vec![refused.await?], TurnStep::Done)
            }
            Fault::Sender => {
                let paused = reports::pause(&mut tx, tenant, &claimed.from, code).await?;
                (paused.into_iter().collect(), TurnStep::Done)
            }
            Fault::Outage => (Vec::new(), TurnStep::Rest(wait)),
        };
        self.append(&mut tx, tenant, events).await?;
        tx.commit().await?;
        self.log.wake();
        count(claimed.id.channel(), "refused");
        tracing::warn!(send.id = %claimed.id, code, "send refused");
        Ok(step)
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
