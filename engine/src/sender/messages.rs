//! One text message: taken, checked once more, sent, recorded; and those that a dead sender left behind.

use luci_schema::{LeadId, TenantId};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{Sender, Step, counted, messengers::Carriers};
use crate::{
    admin::{
        AdminError,
        sending::{self, Fared, Settings},
    },
    book::{
        attempts, leads,
        sms_queue::{
            room,
            sending::{self as queue, Claimed},
        },
        suppressions,
    },
    providers::{Accepted, SendError},
};

impl Sender {
    /// The next message of a tenant, if one may go now.
    pub(super) async fn message(&self, tenant: TenantId) -> Result<Step, AdminError> {
        let carriers = self.carriers(tenant).await?;
        let Some((claimed, pause_ms)) = self.claim_message(tenant, &carriers).await? else { return Ok(Step::Nothing) };
        let claimed_at = Instant::now();
        let Some(messenger) = carriers.named(&claimed.provider) else { return Ok(Step::Nothing) };
        let report_to = self.messengers.report_to(&claimed.provider);
        if claimed_at.elapsed() > self.options.claim_timeout / 3 {
            // This process stood still: others may hold the message to be abandoned by now.
            return Ok(Step::Nothing);
        }
        let outcome = messenger.send(&claimed, report_to.as_deref()).await;
        let step = match &outcome {
            Ok(accepted) => {
                self.record_sent(tenant, &claimed, accepted).await?;
                counted("sms", "sent");
                Step::Done
            }
            Err(SendError::Refused(error)) => {
                let (next, rest) = self.after(error);
                let mut tx = self.pool.begin().await?;
                let held = queue::refused(&mut tx, tenant, &claimed, error.code.as_str(), next).await?;
                if held && queue::ended(&mut tx, tenant, claimed.id).await? {
                    let (code, reason) = (error.code.as_str(), error.reason.as_str());
                    attempts::failed(&mut tx, tenant, &claimed.id.to_string(), code, reason).await?;
                    sending::fared(&mut tx, tenant, &claimed.from, Fared::Badly).await?;
                }
                tx.commit().await?;
                counted("sms", "refused");
                tracing::warn!(provider = error.provider, reason = error.reason, message.id = %claimed.id, "a message was refused");
                rest.map_or(Step::Done, Step::Rest)
            }
            Err(SendError::Unknown(error)) => {
                // It stays as it is: the provider is asked once the answer cannot come any more.
                counted("sms", "unknown");
                tracing::warn!(provider = error.provider, reason = error.reason, message.id = %claimed.id, "nobody knows whether a message was sent");
                Step::Rest(self.options.claim_timeout)
            }
        };
        self.pause(pause_ms).await;
        Ok(step)
    }

    /// Committed when it returns: from here on the message is this process's alone.
    async fn claim_message(&self, tenant: TenantId, carriers: &Carriers) -> Result<Option<(Claimed, u32)>, AdminError> {
        let mut tx = self.pool.begin().await?;
        if !queue::lock(&mut tx, tenant).await? {
            return Ok(None);
        }
        let due = queue::deploy(&mut tx, tenant).await?;
        let claimed = if due { take(&mut tx, tenant, carriers).await? } else { None };
        tx.commit().await?;
        Ok(claimed)
    }

    async fn record_sent(&self, tenant: TenantId, claimed: &Claimed, accepted: &Accepted) -> Result<(), AdminError> {
        let mut tx = self.pool.begin().await?;
        queue::sent(&mut tx, tenant, claimed.id, &accepted.id).await?;
        let id = claimed.id.to_string();
        attempts::sent(&mut tx, tenant, &id, &claimed.provider, &accepted.id, &accepted.status).await?;
        leads::contacted(&mut tx, tenant, claimed.lead_id).await?;
        sending::fared(&mut tx, tenant, &claimed.from, Fared::Well).await?;
        Ok(tx.commit().await?)
    }

    /// What was taken and never heard of again: the provider is asked; what it does not know of is held for a person.
    pub(super) async fn settle_messages(&self, tenant: TenantId) -> Result<(), AdminError> {
        loop {
            let abandoned = {
                let mut c = self.pool.acquire().await?;
                queue::abandoned(&mut c, tenant, self.options.claim_timeout).await?
            };
            let Some(claimed) = abandoned else { return Ok(()) };
            let carriers = self.carriers(tenant).await?;
            let found = match carriers.named(&claimed.provider) {
                Some(messenger) => messenger.find(&claimed).await,
                None => Ok(None),
            };
            match found {
                Ok(Some(accepted)) => {
                    self.record_sent(tenant, &claimed, &accepted).await?;
                    counted("sms", "found");
                }
                Ok(None) => {
                    let mut tx = self.pool.begin().await?;
                    queue::unknown(&mut tx, tenant, &claimed).await?;
                    attempts::failed(&mut tx, tenant, &claimed.id.to_string(), "unknown_outcome", "held").await?;
                    tx.commit().await?;
                    counted("sms", "held");
                    tracing::warn!(message.id = %claimed.id, "a message may have been sent; a person must decide");
                }
                Err(error) => {
                    tracing::warn!(error = %error, message.id = %claimed.id, "the provider could not be asked");
                    return Ok(());
                }
            }
        }
    }
}

async fn take(
    c: &mut PgConnection,
    tenant: TenantId,
    carriers: &Carriers,
) -> Result<Option<(Claimed, u32)>, AdminError> {
    let settings: Settings = sending::settings(c, tenant).await?;
    if room::room(c, tenant, &settings).await?.is_full() {
        return Ok(None);
    }
    while let Some((id, lead, to)) = queue::next(c, tenant, &settings).await? {
        // Asked after the row was locked: an opt-out that came before is seen, one that comes now waits for us.
        if must_not(c, tenant, lead, &to).await? {
            queue::call_off(c, tenant, id, "suppressed").await?;
            attempts::cancelled(c, tenant, &[id.to_string()], "suppressed").await?;
            counted("sms", "suppressed");
            continue;
        }
        for provider in carriers.of_messages() {
            if let Some(from) = sending::next_number(c, tenant, provider).await? {
                let claimed = queue::claim(c, tenant, id, provider, &from).await?;
                return Ok(Some((claimed, settings.pause_ms)));
            }
        }
        return Ok(None);
    }
    Ok(None)
}

/// Whether the lead or its number may not be contacted at this moment.
pub(super) async fn must_not(
    c: &mut PgConnection,
    tenant: TenantId,
    lead: LeadId,
    number: &str,
) -> Result<bool, sqlx::Error> {
    Ok(!suppressions::among(c, tenant, &[number], &[]).await?.is_empty()
        || !leads::dnc(c, tenant, &[lead]).await?.is_empty())
}
