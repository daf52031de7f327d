//! The life of a queued send, the same for messages and calls: a row is claimed and committed before the provider is
//! called, and a claimed row is sent again only when the provider said no.

use std::time::Duration;

use luci_schema::{LeadId, Micros, TenantId};
use sqlx::PgConnection;

use crate::{
    rules::{carrier::Carrier, channel::Channel, send_id::SendId},
    store::{
        claimed_send::{Release, ReleasedStatus},
        dialer_queue,
        remaining_quota::RemainingQuota,
        send_settings::SendSettings,
        sms_queue,
    },
};

pub use crate::store::claimed_send::{ClaimedSend, SendContent};

/// Takes the tenant's lock of this channel until the transaction ends, so that one sender at a time counts limits and
/// claims. False: another sender holds it.
pub async fn lock(c: &mut PgConnection, tenant: TenantId, channel: Channel) -> Result<bool, sqlx::Error> {
    let name = match channel {
        Channel::Sms => "sender:",
        Channel::Call => "sender calls:",
    };
    sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended($1 || $2, 0))")
        .bind(name)
        .bind(tenant)
        .fetch_one(c)
        .await
}

/// Whether anything is due, recipients' windows aside.
pub async fn any_due(c: &mut PgConnection, tenant: TenantId, channel: Channel) -> Result<bool, sqlx::Error> {
    match channel {
        Channel::Sms => sms_queue::sending::any_due(c, tenant).await,
        Channel::Call => dialer_queue::sending::any_due(c, tenant).await,
    }
}

/// A due row, locked until the transaction ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSend {
    pub id: SendId,
    pub lead_id: LeadId,
    /// E.164
    pub to: String,
}

/// Locks the next due row whose recipient is in open zones only and not on hold; skips rows that others have locked.
pub async fn lock_next(
    c: &mut PgConnection,
    tenant: TenantId,
    channel: Channel,
    open_zones: &[&str],
) -> Result<Option<DueSend>, sqlx::Error> {
    Ok(match channel {
        Channel::Sms => sms_queue::sending::lock_next(c, tenant, open_zones).await?.map(|(id, lead_id, to)| DueSend {
            id: SendId::Message(id),
            lead_id,
            to,
        }),
        Channel::Call => dialer_queue::sending::lock_next(c, tenant, open_zones)
            .await?
            .map(|(id, lead_id, to)| DueSend { id: SendId::Call(id), lead_id, to }),
    })
}

/// Queued sends whose zones are not recorded, at most `limit`.
pub async fn without_zones(
    c: &mut PgConnection,
    tenant: TenantId,
    channel: Channel,
    limit: i64,
) -> Result<Vec<DueSend>, sqlx::Error> {
    Ok(match channel {
        Channel::Sms => {
            let found = sms_queue::sending::without_zones(c, tenant, limit).await?;
            found.into_iter().map(|(id, lead_id, to)| DueSend { id: SendId::Message(id), lead_id, to }).collect()
        }
        Channel::Call => {
            let found = dialer_queue::sending::without_zones(c, tenant, limit).await?;
            found.into_iter().map(|(id, lead_id, to)| DueSend { id: SendId::Call(id), lead_id, to }).collect()
        }
    })
}

/// Records the zones of a send.
pub async fn set_zones(
    c: &mut PgConnection,
    tenant: TenantId,
    id: SendId,
    zones: &[String],
) -> Result<(), sqlx::Error> {
    match id {
        SendId::Message(id) => sms_queue::set_zones(c, tenant, id, zones).await,
        SendId::Call(id) => dialer_queue::set_zones(c, tenant, id, zones).await,
    }
}

/// What the tenant's limits leave. The day begins at midnight in the tenant's zone; the hour is the last 60 minutes.
pub async fn remaining(
    c: &mut PgConnection,
    tenant: TenantId,
    channel: Channel,
    settings: &SendSettings,
    now: Micros,
) -> Result<RemainingQuota, sqlx::Error> {
    match channel {
        Channel::Sms => sms_queue::sending::remaining(c, tenant, settings, now).await,
        Channel::Call => dialer_queue::sending::remaining(c, tenant, settings, now).await,
    }
}

/// Claims a locked row. The caller commits before it calls the provider.
pub async fn claim(
    c: &mut PgConnection,
    tenant: TenantId,
    id: SendId,
    (carrier, from): (Carrier, &str),
) -> Result<ClaimedSend, sqlx::Error> {
    match id {
        SendId::Message(id) => sms_queue::table::claim(c, tenant, id, (carrier, from)).await,
        SendId::Call(id) => dialer_queue::table::claim(c, tenant, id, (carrier, from)).await,
    }
}

/// The newest claim of a row; none when there is no such row.
pub async fn newest_claim(c: &mut PgConnection, tenant: TenantId, id: SendId) -> Result<Option<i64>, sqlx::Error> {
    match id {
        SendId::Message(id) => sms_queue::sending::newest_claim(c, tenant, id).await,
        SendId::Call(id) => dialer_queue::sending::newest_claim(c, tenant, id).await,
    }
}

/// Cancels a row that must not be sent, unless it is claimed or sent already.
pub async fn cancel(c: &mut PgConnection, tenant: TenantId, id: SendId, code: &str) -> Result<(), sqlx::Error> {
    match id {
        SendId::Message(id) => sms_queue::table::cancel(c, tenant, id, code).await,
        SendId::Call(id) => dialer_queue::table::cancel(c, tenant, id, code).await,
    }
}

/// Records that the provider accepted it. Not fenced: it is a fact, even when another process has claimed the row since.
pub async fn accepted(
    c: &mut PgConnection,
    tenant: TenantId,
    id: SendId,
    provider_id: &str,
) -> Result<(), sqlx::Error> {
    match id {
        SendId::Message(id) => sms_queue::table::accepted(c, tenant, id, provider_id).await,
        SendId::Call(id) => dialer_queue::table::accepted(c, tenant, id, provider_id).await,
    }
}

/// The send that the provider knows by this id.
pub async fn by_provider_id(
    c: &mut PgConnection,
    tenant: TenantId,
    channel: Channel,
    provider_id: &str,
) -> Result<Option<SendId>, sqlx::Error> {
    Ok(match channel {
        Channel::Sms => sms_queue::sending::by_provider_id(c, tenant, provider_id).await?.map(SendId::Message),
        Channel::Call => dialer_queue::sending::by_provider_id(c, tenant, provider_id).await?.map(SendId::Call),
    })
}

/// What follows when the provider certainly did not take a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendRetry {
    /// Due again after this wait, unless all attempts are used up.
    Counted(Duration),
    /// Due again after this wait; the attempt does not count, because the send itself is not at fault.
    Uncounted(Duration),
    Never,
}

/// What releasing a claimed row did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// It is due again.
    Pending,
    /// It has failed for good.
    Failed,
    /// Another process has claimed the row since: nothing was changed.
    Fenced,
}

/// Makes a claimed row pending again, or ends it as failed. Fenced by the claim.
pub async fn release(
    c: &mut PgConnection,
    tenant: TenantId,
    claimed: &ClaimedSend,
    (code, retry): (&str, SendRetry),
) -> Result<Released, sqlx::Error> {
    let (status, wait, uncounted) = match retry {
        SendRetry::Counted(wait) if claimed.attempts < claimed.max_attempts => (ReleasedStatus::Pending, wait, 0),
        SendRetry::Uncounted(wait) => (ReleasedStatus::Pending, wait, 1),
        SendRetry::Counted(_) | SendRetry::Never => (ReleasedStatus::Failed, Duration::ZERO, 0),
    };
    let release = Release { status, code, wait, uncounted };
    let changed = match claimed.id {
        SendId::Message(id) => sms_queue::table::release(c, tenant, (id, claimed.claim), release).await?,
        SendId::Call(id) => dialer_queue::table::release(c, tenant, (id, claimed.claim), release).await?,
    };
    Ok(match (changed, status) {
        (false, _) => Released::Fenced,
        (true, ReleasedStatus::Failed) => Released::Failed,
        (true, ReleasedStatus::Pending) => Released::Pending,
    })
}

/// Claims one row whose sender did not finish it within `after`. Whether it was sent is unknown.
pub async fn claim_abandoned(
    c: &mut PgConnection,
    tenant: TenantId,
    channel: Channel,
    after: Duration,
) -> Result<Option<ClaimedSend>, sqlx::Error> {
    match channel {
        Channel::Sms => sms_queue::table::claim_abandoned(c, tenant, after).await,
        Channel::Call => dialer_queue::table::claim_abandoned(c, tenant, after).await,
    }
}

/// Ends an abandoned row as `unknown_outcome`: it may have been sent, so only a person may let it be sent again.
/// False: another process has claimed the row since, and nothing was changed.
pub async fn hold_unknown(c: &mut PgConnection, tenant: TenantId, claimed: &ClaimedSend) -> Result<bool, sqlx::Error> {
    match claimed.id {
        SendId::Message(id) => sms_queue::table::hold_unknown(c, tenant, (id, claimed.claim)).await,
        SendId::Call(id) => dialer_queue::table::hold_unknown(c, tenant, (id, claimed.claim)).await,
    }
}
