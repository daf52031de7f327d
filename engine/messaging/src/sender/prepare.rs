//! The next send: limits, open zones, and what must not go any more.

use luci_config::{AdminError, vault::Vault};
use luci_leads::store::{leads, suppressions};
use luci_schema::{LeadId, Micros, TenantId};
use sqlx::PgConnection;

use crate::{
    carriers::TenantCarriers,
    rules::{channel::Channel, send_id::SendId},
    sender::count,
    store::{
        attempts,
        claimed_send::ClaimedSend,
        restored_sends,
        send_settings::{self, SendSettings},
        sender_numbers,
        sends::{self, DueSend, SendRetry},
        sms_queue,
    },
};

/// Sent before the database was restored to an earlier state.
const ALREADY_SENT: &str = "already_sent";

/// A claimed send and what its call needs.
pub(super) struct PreparedSend {
    pub claimed: ClaimedSend,
    /// The TwiML address of a call.
    pub voice_url: Option<String>,
    /// Pause after the send.
    pub pause_ms: u32,
}

/// Claims the next due send of the channel, inside the transaction that holds the tenant's lock.
pub(super) async fn prepare(
    c: &mut PgConnection,
    tenant: TenantId,
    channel: Channel,
    carriers: &TenantCarriers,
) -> Result<Option<PreparedSend>, AdminError> {
    let (settings, now) = (send_settings::settings(c, tenant).await?, Micros::now());
    let voice_url = settings.voice_url.clone().filter(|_| channel == Channel::Call);
    let usable = match channel {
        Channel::Sms => carriers.for_messages(),
        Channel::Call if voice_url.is_some() => carriers.for_calls(),
        Channel::Call => Vec::new(),
    };
    if usable.is_empty() || sends::remaining(c, tenant, channel, &settings, now).await?.is_exhausted() {
        return Ok(None);
    }
    let open_zones = settings.window().open_zones(now);
    'due: while let Some(due) = sends::lock_next(c, tenant, channel, &open_zones).await? {
        // Checked under the row's lock: an earlier opt-out is seen, a later one waits for this transaction.
        if let Some(code) = must_not_go(c, tenant, (&due, &carriers.vault), &settings).await? {
            sends::cancel(c, tenant, due.id, code).await?;
            attempts::cancelled(c, tenant, &[due.id], code).await?;
            count(channel, code);
            continue;
        }
        for &carrier in &usable {
            if let Some(from) = sender_numbers::next(c, tenant, carrier, channel).await? {
                let claimed = sends::claim(c, tenant, due.id, (carrier, &from)).await?;
                if restored_sends::contains(c, tenant, &claimed.keys).await? {
                    sends::release(c, tenant, &claimed, (ALREADY_SENT, SendRetry::Never)).await?;
                    attempts::failed(
                        c,
                        tenant,
                        claimed.id,
                        (ALREADY_SENT, "it was sent before the database was restored"),
                    )
                    .await?;
                    count(channel, ALREADY_SENT);
                    continue 'due;
                }
                return Ok(Some(PreparedSend { claimed, voice_url, pause_ms: settings.pause_ms }));
            }
        }
        return Ok(None);
    }
    Ok(None)
}

/// Why a send must not go any more; none: it may. The tenant's lock is held, so no other sender counts at the same time.
async fn must_not_go(
    c: &mut PgConnection,
    tenant: TenantId,
    (due, vault): (&DueSend, &Vault),
    settings: &SendSettings,
) -> Result<Option<&'static str>, sqlx::Error> {
    if !suppressions::among(c, tenant, vault, &[&due.to], &[]).await?.is_empty()
        || !contactable(c, tenant, due.lead_id).await?
    {
        return Ok(Some("suppressed"));
    }
    let SendId::Message(id) = due.id else { return Ok(None) };
    let before = sms_queue::frequency::before_send(c, tenant, id).await?;
    if before.repeated {
        return Ok(Some("already_queued"));
    }
    Ok(before.recent.forbids(before.attempt_number, settings.frequency()).then_some("frequency"))
}

async fn contactable(c: &mut PgConnection, tenant: TenantId, lead: LeadId) -> Result<bool, sqlx::Error> {
    Ok(!leads::contactable(c, tenant, &[lead]).await?.is_empty())
}
