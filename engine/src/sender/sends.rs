//! One message or call: taken, checked once more, handed to its carrier, recorded; and those that a dead sender left behind.
//! Calls are placed for tenants that say where Twilio asks what to say; other tenants' people dial themselves.

use luci_schema::{LeadId, TenantId};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{Sender, Step, messengers::Carriers};
use crate::{
    admin::{
        AdminError,
        sending::{self, Fared},
    },
    book::{
        attempts, leads,
        sends::{self, Claimed, Queue, Refused},
        sms_queue, suppressions,
    },
    provider::ProviderError,
    providers::{Accepted, SendError},
};

/// What was taken, where Twilio asks what to say in a call, and the pause after it.
struct Taken {
    claimed: Claimed,
    voice_url: Option<String>,
    pause_ms: u32,
}

impl Sender {
    /// The next one of a tenant's queue, if one may go now.
    pub(super) async fn step(&self, tenant: TenantId, queue: Queue) -> Result<Step, AdminError> {
        let carriers = self.carriers(tenant).await?;
        let Some(taken) = self.claim(tenant, queue, &carriers).await? else { return Ok(Step::Nothing) };
        let (claimed, claimed_at) = (&taken.claimed, Instant::now());
        let report_to = self.messengers.report_to(&claimed.provider);
        if claimed_at.elapsed() > self.options.claim_timeout / 3 {
            // This process stood still: others may hold it to be abandoned by now.
            return Ok(Step::Nothing);
        }
        let outcome = carriers.send(claimed, taken.voice_url.as_deref(), report_to.as_deref()).await;
        let step = match &outcome {
            None => return Ok(Step::Nothing),
            Some(Ok(accepted)) => {
                self.record_sent(tenant, queue, claimed, accepted).await?;
                counted(queue, if queue == Queue::Calls { "placed" } else { "sent" });
                Step::Done
            }
            Some(Err(SendError::Refused(error))) => self.record_refused(tenant, queue, claimed, error).await?,
            Some(Err(SendError::Unknown(error))) => {
                // It stays as it is: the provider is asked once the answer cannot come any more.
                counted(queue, "unknown");
                tracing::warn!(
                    provider = error.provider,
                    reason = error.reason,
                    send.id = claimed.id,
                    "nobody knows whether it was sent"
                );
                Step::Rest(self.options.claim_timeout)
            }
        };
        self.pause(taken.pause_ms).await;
        Ok(step)
    }

    /// Committed when it returns: from here on it is this process's alone.
    async fn claim(&self, tenant: TenantId, queue: Queue, carriers: &Carriers) -> Result<Option<Taken>, AdminError> {
        let mut tx = self.pool.begin().await?;
        if !sends::lock(&mut tx, tenant, queue).await? {
            return Ok(None);
        }
        if queue == Queue::Messages {
            sms_queue::deploy(&mut tx, tenant).await?;
        }
        let due = sends::due(&mut tx, tenant, queue).await?;
        let taken = if due { take(&mut tx, tenant, queue, carriers).await? } else { None };
        tx.commit().await?;
        Ok(taken)
    }

    async fn record_sent(
        &self,
        tenant: TenantId,
        queue: Queue,
        claimed: &Claimed,
        accepted: &Accepted,
    ) -> Result<(), AdminError> {
        let mut tx = self.pool.begin().await?;
        sends::sent(&mut tx, tenant, queue, (&claimed.id, &accepted.id)).await?;
        attempts::sent(&mut tx, tenant, &claimed.id, &claimed.provider, &accepted.id, &accepted.status).await?;
        leads::contacted(&mut tx, tenant, claimed.lead_id).await?;
        sending::fared(&mut tx, tenant, &claimed.from, Fared::Well).await?;
        Ok(tx.commit().await?)
    }

    async fn record_refused(
        &self,
        tenant: TenantId,
        queue: Queue,
        claimed: &Claimed,
        error: &ProviderError,
    ) -> Result<Step, AdminError> {
        let ((next, rest), code) = (self.after(error), error.code.as_str());
        let mut tx = self.pool.begin().await?;
        if sends::refused(&mut tx, tenant, queue, claimed, (code, next)).await? == Refused::Ended {
            attempts::failed(&mut tx, tenant, &claimed.id, code, &error.reason).await?;
            sending::fared(&mut tx, tenant, &claimed.from, Fared::Badly).await?;
        }
        tx.commit().await?;
        counted(queue, "refused");
        tracing::warn!(provider = error.provider, reason = error.reason, send.id = claimed.id, "a send was refused");
        Ok(rest.map_or(Step::Done, Step::Rest))
    }

    /// What was taken and never heard of again: the provider is asked; what it does not know of is held for a person.
    pub(super) async fn settle(&self, tenant: TenantId, queue: Queue) -> Result<(), AdminError> {
        loop {
            let abandoned = {
                let mut c = self.pool.acquire().await?;
                sends::abandoned(&mut c, tenant, queue, self.options.claim_timeout).await?
            };
            let Some(claimed) = abandoned else { return Ok(()) };
            match self.carriers(tenant).await?.find(&claimed).await {
                Ok(Some(accepted)) => {
                    self.record_sent(tenant, queue, &claimed, &accepted).await?;
                    counted(queue, "found");
                }
                Ok(None) => {
                    let mut tx = self.pool.begin().await?;
                    sends::unknown(&mut tx, tenant, queue, &claimed).await?;
                    attempts::failed(&mut tx, tenant, &claimed.id, "unknown_outcome", "held").await?;
                    tx.commit().await?;
                    counted(queue, "held");
                    tracing::warn!(send.id = claimed.id, "it may have been sent; a person must decide");
                }
                Err(error) => {
                    tracing::warn!(error = %error, send.id = claimed.id, "the provider could not be asked");
                    return Ok(());
                }
            }
        }
    }
}

async fn take(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    carriers: &Carriers,
) -> Result<Option<Taken>, AdminError> {
    let settings = sending::settings(c, tenant).await?;
    let voice_url = settings.voice_url.clone().filter(|_| queue == Queue::Calls);
    let able: Vec<&str> = match queue {
        Queue::Messages => carriers.of_messages().collect(),
        Queue::Calls => carriers.of_calls().filter(|_| voice_url.is_some()).collect(),
    };
    if able.is_empty() || sends::room(c, tenant, queue, &settings).await?.is_full() {
        return Ok(None);
    }
    while let Some((id, lead, to)) = sends::next(c, tenant, queue, &settings).await? {
        // Asked after the row was locked: an opt-out that came before is seen, one that comes now waits for us.
        if must_not(c, tenant, lead, &to).await? {
            sends::call_off(c, tenant, queue, (&id, "suppressed")).await?;
            attempts::cancelled(c, tenant, &[id], "suppressed").await?;
            counted(queue, "suppressed");
            continue;
        }
        for provider in &able {
            if let Some(from) = sending::next_number(c, tenant, provider).await? {
                let claimed = sends::claim(c, tenant, queue, (&id, provider, &from)).await?;
                return Ok(Some(Taken { claimed, voice_url, pause_ms: settings.pause_ms }));
            }
        }
        return Ok(None);
    }
    Ok(None)
}

/// Whether the lead or its number may not be contacted at this moment.
async fn must_not(c: &mut PgConnection, tenant: TenantId, lead: LeadId, number: &str) -> Result<bool, sqlx::Error> {
    Ok(!suppressions::among(c, tenant, &[number], &[]).await?.is_empty()
        || leads::contactable(c, tenant, &[lead]).await?.is_empty())
}

fn counted(queue: Queue, outcome: &'static str) {
    let channel = match queue {
        Queue::Messages => "sms",
        Queue::Calls => "call",
    };
    metrics::counter!("luci_sends_total", "channel" => channel, "outcome" => outcome).increment(1);
}
