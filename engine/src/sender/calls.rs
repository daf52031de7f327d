//! One call: taken, checked once more, placed, recorded; and those that a dead sender left behind. Calls are placed for
//! tenants that say where Twilio asks what to say; other tenants' people dial themselves.

use luci_schema::TenantId;
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{Sender, Step, counted, messages::must_not, messengers};
use crate::{
    admin::{
        AdminError,
        sending::{self, Fared},
    },
    book::{
        attempts,
        dialer_queue::sending::{self as queue, Claimed},
        leads,
    },
    providers::{Accepted, SendError},
};

/// A call to place, where Twilio asks what to say, and the pause after it.
struct Taken {
    claimed: Claimed,
    voice_url: String,
    pause_ms: u32,
}

impl Sender {
    /// The next call of a tenant, if one may be placed now.
    pub(super) async fn call(&self, tenant: TenantId) -> Result<Step, AdminError> {
        let Some(twilio) = self.carriers(tenant).await?.twilio else { return Ok(Step::Nothing) };
        let Some(Taken { claimed, voice_url, pause_ms }) = self.claim_call(tenant).await? else {
            return Ok(Step::Nothing);
        };
        let claimed_at = Instant::now();
        let report_to = self.messengers.report_to("twilio");
        if claimed_at.elapsed() > self.options.claim_timeout / 3 {
            return Ok(Step::Nothing);
        }
        let step = match messengers::dial(&twilio, &claimed, &voice_url, report_to.as_deref()).await {
            Ok(accepted) => {
                self.record_placed(tenant, &claimed, &accepted).await?;
                counted("call", "placed");
                Step::Done
            }
            Err(SendError::Refused(error)) => {
                let (next, rest) = self.after(&error);
                let mut tx = self.pool.begin().await?;
                let held = queue::refused(&mut tx, tenant, &claimed, error.code.as_str(), next).await?;
                if held && queue::ended(&mut tx, tenant, claimed.id).await? {
                    let (code, reason) = (error.code.as_str(), error.reason.as_str());
                    attempts::failed(&mut tx, tenant, &claimed.id.to_string(), code, reason).await?;
                    sending::fared(&mut tx, tenant, &claimed.from, Fared::Badly).await?;
                }
                tx.commit().await?;
                counted("call", "refused");
                tracing::warn!(reason = error.reason, call.id = %claimed.id, "a call was refused");
                rest.map_or(Step::Done, Step::Rest)
            }
            Err(SendError::Unknown(error)) => {
                counted("call", "unknown");
                tracing::warn!(reason = error.reason, call.id = %claimed.id, "nobody knows whether a call was placed");
                Step::Rest(self.options.claim_timeout)
            }
        };
        self.pause(pause_ms).await;
        Ok(step)
    }

    async fn claim_call(&self, tenant: TenantId) -> Result<Option<Taken>, AdminError> {
        let mut tx = self.pool.begin().await?;
        if !queue::lock(&mut tx, tenant).await? || !queue::due(&mut tx, tenant).await? {
            return Ok(None);
        }
        let taken = take(&mut tx, tenant).await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn record_placed(&self, tenant: TenantId, claimed: &Claimed, accepted: &Accepted) -> Result<(), AdminError> {
        let mut tx = self.pool.begin().await?;
        queue::placed(&mut tx, tenant, claimed.id, &accepted.id).await?;
        let id = claimed.id.to_string();
        attempts::sent(&mut tx, tenant, &id, &claimed.provider, &accepted.id, &accepted.status).await?;
        leads::contacted(&mut tx, tenant, claimed.lead_id).await?;
        sending::fared(&mut tx, tenant, &claimed.from, Fared::Well).await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn settle_calls(&self, tenant: TenantId) -> Result<(), AdminError> {
        loop {
            let abandoned = {
                let mut c = self.pool.acquire().await?;
                queue::abandoned(&mut c, tenant, self.options.claim_timeout).await?
            };
            let Some(claimed) = abandoned else { return Ok(()) };
            let found = match self.carriers(tenant).await?.twilio {
                Some(twilio) => messengers::dialled(&twilio, &claimed).await,
                None => Ok(None),
            };
            match found {
                Ok(Some(accepted)) => self.record_placed(tenant, &claimed, &accepted).await?,
                Ok(None) => {
                    let mut tx = self.pool.begin().await?;
                    queue::unknown(&mut tx, tenant, &claimed).await?;
                    attempts::failed(&mut tx, tenant, &claimed.id.to_string(), "unknown_outcome", "held").await?;
                    tx.commit().await?;
                    tracing::warn!(call.id = %claimed.id, "a call may have been placed; a person must decide");
                }
                Err(error) => {
                    tracing::warn!(error = %error, call.id = %claimed.id, "the provider could not be asked");
                    return Ok(());
                }
            }
        }
    }
}

async fn take(c: &mut PgConnection, tenant: TenantId) -> Result<Option<Taken>, AdminError> {
    let settings = sending::settings(c, tenant).await?;
    let Some(voice_url) = settings.voice_url.clone() else { return Ok(None) };
    if queue::room(c, tenant, &settings).await? == 0 {
        return Ok(None);
    }
    while let Some((id, lead, to)) = queue::next(c, tenant, &settings).await? {
        if must_not(c, tenant, lead, &to).await? {
            queue::call_off(c, tenant, id, "suppressed").await?;
            attempts::cancelled(c, tenant, &[id.to_string()], "suppressed").await?;
            counted("call", "suppressed");
            continue;
        }
        let Some(from) = sending::next_number(c, tenant, "twilio").await? else { return Ok(None) };
        let claimed = queue::claim(c, tenant, id, "twilio", &from).await?;
        return Ok(Some(Taken { claimed, voice_url, pause_ms: settings.pause_ms }));
    }
    Ok(None)
}
