//! What happens to a number and its leads: an opt-out, a wrong number, a carrier's refusal, a hold and its decision.
//!
//! Every function runs inside the caller's transaction.

use luci_config::{AdminError, By, vault::Vault};
use luci_leads::{
    store::{
        lead_keys, leads,
        suppressions::{self, Kind, MadeBy, Origin, Reason, Removed},
    },
    validate::keys,
};
use luci_schema::{
    ConfigEvent, Event, LeadId, Micros, Position, TenantId,
    event::{HoldDecided, SuppressionChanged},
    log::{Log, NewReceipt},
};
use sqlx::PgConnection;

use crate::{
    rules::{refusal::RecipientFault, send_id::SendId},
    store::{
        attempts, dialer_queue,
        number_holds::{self, HoldDecision},
        send_settings::append_to_tenant,
        sms_queue,
    },
};

const DAY_MS: i64 = 86_400_000;

/// Leads with this number, the one with the newest message first.
pub async fn leads_of(c: &mut PgConnection, tenant: TenantId, number: &str) -> Result<Vec<LeadId>, sqlx::Error> {
    let mut leads = sms_queue::leads_at(c, tenant, number).await?;
    let key = keys::of_phone(number);
    let holders = lead_keys::holders(c, tenant, &[key]).await?;
    for holder in holders.into_values().flatten() {
        if !leads.contains(&holder.lead_id) {
            leads.push(holder.lead_id);
        }
    }
    Ok(leads)
}

/// The person wants no more messages: the number is suppressed, its leads are `dnc`, and what is queued is cancelled.
pub async fn opt_out(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    leads: &[LeadId],
    made_by: MadeBy<'_>,
) -> Result<(), sqlx::Error> {
    suppressions::add_from(c, tenant, (Kind::Phone, number), (Reason::OptOut, None), made_by).await?;
    leads::mark_dnc(c, tenant, leads).await?;
    number_holds::decide(c, tenant, number, HoldDecision::Suppressed, made_by.rule).await?;
    cancel_queued(c, tenant, (number, leads), "opt_out").await
}

/// The number is somebody else's.
pub async fn wrong_number(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    made_by: MadeBy<'_>,
) -> Result<(), sqlx::Error> {
    suppressions::add_from(c, tenant, (Kind::Phone, number), (Reason::WrongNumber, None), made_by).await?;
    cancel_queued(c, tenant, (number, &[]), "wrong_number").await
}

/// The carrier does not deliver to the number. Returns the event to append.
pub async fn refused(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    (fault, code, now): (RecipientFault, &str, Micros),
) -> Result<Event, sqlx::Error> {
    let rule = format!("carrier:{code}");
    let made_by = MadeBy { origin: Origin::Carrier, rule: &rule, webhook: None };
    let reason = match fault {
        RecipientFault::OptedOut => {
            let leads = leads_of(c, tenant, number).await?;
            opt_out(c, tenant, number, &leads, made_by).await?;
            Reason::OptOut
        }
        RecipientFault::Invalid | RecipientFault::Unreachable => {
            let until = fault.days().map(|days| now.plus_millis(days * DAY_MS));
            let reason = (Reason::InvalidPhone, until);
            suppressions::add_from(c, tenant, (Kind::Phone, number), reason, made_by).await?;
            cancel_queued(c, tenant, (number, &[]), "suppressed").await?;
            Reason::InvalidPhone
        }
    };
    let changed = SuppressionChanged { reason: reason.as_str().into(), rule: Some(rule), webhook_id: None };
    Ok(ConfigEvent::SuppressionAdded(changed).into())
}

/// Cancels what is queued for the number or the leads.
async fn cancel_queued(
    c: &mut PgConnection,
    tenant: TenantId,
    recipients: (&str, &[LeadId]),
    code: &str,
) -> Result<(), sqlx::Error> {
    let mut ids: Vec<SendId> =
        sms_queue::cancel_for(c, tenant, recipients, code).await?.into_iter().map(SendId::Message).collect();
    ids.extend(dialer_queue::cancel_for(c, tenant, recipients, code).await?.into_iter().map(SendId::Call));
    attempts::cancelled(c, tenant, &ids, code).await
}

/// A person lifts a suppression, also one that a restore brought in as a hash. Leads that an opt-out made `dnc` can be contacted
/// again. That a person was erased is not told: theirs is `Absent`.
pub async fn lift(
    c: &mut PgConnection,
    vault: &Vault,
    tenant: TenantId,
    kind: Kind,
    value: &str,
) -> Result<(Removed, String), sqlx::Error> {
    let (mut removed, mut reason) = suppressions::remove(c, tenant, kind, value).await?;
    if removed == Removed::Absent
        && let Some(hash) = suppressions::hashes(vault, tenant, kind, &[value]).first()
    {
        (removed, reason) = suppressions::remove(c, tenant, kind, hash).await?;
        if reason == Reason::Erased.as_str() {
            return Ok((Removed::Absent, String::new()));
        }
    }
    if removed == Removed::Done && kind == Kind::Phone && reason == Reason::OptOut.as_str() {
        let leads = leads_of(c, tenant, value).await?;
        leads::clear_dnc(c, tenant, &leads).await?;
    }
    Ok((removed, reason))
}

/// A person decides on a number that is on hold. `NotFound`: it is not on hold.
pub async fn decide_hold(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (number, decision): (&str, HoldDecision),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let decided = number_holds::decide(c, tenant, number, decision, &by.actor.to_string()).await?;
    let Some(&webhook_id) = decided.first() else { return Err(AdminError::NotFound("hold")) };
    let hold = HoldDecided { webhook_id, messages: decided.len() as u64 };
    let event = match decision {
        HoldDecision::Released => ConfigEvent::HoldReleased(hold),
        HoldDecision::Suppressed => {
            let leads = leads_of(c, tenant, number).await?;
            let made_by = MadeBy { origin: Origin::Person, rule: "hold:suppressed", webhook: Some(webhook_id) };
            opt_out(c, tenant, number, &leads, made_by).await?;
            ConfigEvent::HoldSuppressed(hold)
        }
    };
    append_to_tenant(c, tenant, log, event.into(), by, receipt).await
}
