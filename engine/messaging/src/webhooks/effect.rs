//! Applies a provider's event: reports update attempts and queues; replies are classified, and opt-outs take effect.

use luci_leads::{
    store::{
        lead_keys, leads,
        suppressions::{self, Kind, Reason},
    },
    validate::keys,
};
use luci_schema::{ConfigEvent, Event, LeadId, MessageId, TenantId, WebhookId, event::MessageReceived};
use sqlx::PgConnection;

use crate::{
    rules::{
        channel::Channel,
        delivery_status::{CallResult, DeliveryStatus},
        reply::{self, ReplyClass},
        send_id::SendId,
    },
    store::{attempts, dialer_queue, sends, sms_queue, webhook_events},
    webhooks::ProviderEvent,
};

/// Runs inside the caller's transaction. Returns the event to append.
pub(super) async fn apply(
    c: &mut PgConnection,
    tenant: TenantId,
    webhook: WebhookId,
    event: &ProviderEvent,
) -> Result<Option<Event>, sqlx::Error> {
    match event {
        ProviderEvent::MessageStatus { provider_id, status, provider_status, error, to } => {
            let report = MessageReport { provider_id, status: *status, provider_status, error: error.as_deref() };
            apply_report(c, tenant, report, to.as_deref()).await?;
        }
        ProviderEvent::CallEnded { provider_id, result, provider_status } => {
            apply_call_end(c, tenant, provider_id, (*result, provider_status)).await?;
        }
        ProviderEvent::Unsubscribed { email } => {
            suppressions::add_from(c, tenant, Kind::Email, email, Reason::OptOut, "message").await?;
        }
        ProviderEvent::MessageReceived { from, text, .. } => {
            return apply_reply(c, tenant, webhook, from, text).await.map(Some);
        }
        ProviderEvent::Other => {}
    }
    Ok(None)
}

struct MessageReport<'a> {
    provider_id: &'a str,
    status: DeliveryStatus,
    provider_status: &'a str,
    error: Option<&'a str>,
}

async fn apply_report(
    c: &mut PgConnection,
    tenant: TenantId,
    report: MessageReport<'_>,
    to: Option<&str>,
) -> Result<(), sqlx::Error> {
    let MessageReport { provider_id, status, provider_status, error } = report;
    if let Some(to) = to {
        // A message with unknown outcome was sent after all when its provider reports on it.
        if let Some((id, provider)) = sms_queue::identify(c, tenant, to, provider_id).await? {
            let carrier = provider.and_then(|name| name.parse().ok());
            attempts::sent(c, tenant, id.into(), carrier, (provider_id, provider_status)).await?;
        }
    }
    let Some(id) = sends::by_provider_id(c, tenant, Channel::Sms, provider_id).await? else { return Ok(()) };
    attempts::reported(c, tenant, id, status, provider_status, error).await?;
    if matches!(status, DeliveryStatus::Failed | DeliveryStatus::Undelivered) {
        sms_queue::undelivered(c, tenant, provider_id, error.unwrap_or(provider_status)).await?;
    }
    Ok(())
}

async fn apply_call_end(
    c: &mut PgConnection,
    tenant: TenantId,
    provider_id: &str,
    (result, provider_status): (CallResult, &str),
) -> Result<(), sqlx::Error> {
    let Some(id) = sends::by_provider_id(c, tenant, Channel::Call, provider_id).await? else { return Ok(()) };
    attempts::reported(c, tenant, id, result.delivery(), provider_status, None).await?;
    dialer_queue::ended(c, tenant, provider_id, result).await
}

async fn apply_reply(
    c: &mut PgConnection,
    tenant: TenantId,
    webhook: WebhookId,
    from: &str,
    text: &str,
) -> Result<Event, sqlx::Error> {
    let class = reply::classify(text);
    let leads = leads_of(c, tenant, from).await?;
    // The reply is attributed to the lead that was sent the newest message.
    let lead = leads.first().copied();
    let mut message_id: Option<MessageId> = None;
    if let Some(lead) = lead {
        let queue_id = attempts::responded(c, tenant, lead, text, class.attempt_class()).await?;
        message_id = queue_id.and_then(|id| id.parse().ok());
    }
    apply_class(c, tenant, from, &leads, &class).await?;
    webhook_events::set_class(c, tenant, webhook, lead, class.as_str()).await?;
    let class = class.as_str().to_owned();
    let received = MessageReceived { webhook_id: webhook, lead_id: lead, message_id, channel: "sms".into(), class };
    Ok(ConfigEvent::MessageReceived(received).into())
}

/// Leads with this number, the one with the newest message first.
async fn leads_of(c: &mut PgConnection, tenant: TenantId, number: &str) -> Result<Vec<LeadId>, sqlx::Error> {
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

async fn apply_class(
    c: &mut PgConnection,
    tenant: TenantId,
    from: &str,
    lead_ids: &[LeadId],
    class: &ReplyClass,
) -> Result<(), sqlx::Error> {
    match class {
        ReplyClass::OptOut => {
            suppressions::add_from(c, tenant, Kind::Phone, from, Reason::OptOut, "message").await?;
            leads::mark_dnc(c, tenant, lead_ids).await?;
            cancel_queued(c, tenant, (from, lead_ids), "opt_out").await
        }
        ReplyClass::WrongNumber => {
            suppressions::add_from(c, tenant, Kind::Phone, from, Reason::WrongNumber, "message").await?;
            cancel_queued(c, tenant, (from, &[]), "wrong_number").await
        }
        ReplyClass::Resubscribe => {
            if suppressions::resubscribe(c, tenant, from).await? {
                leads::clear_dnc(c, tenant, lead_ids).await?;
            }
            Ok(())
        }
        ReplyClass::EmailCaptured(address) => {
            let Some(lead) = lead_ids.first() else { return Ok(()) };
            let mut found: Vec<_> = leads::load(c, tenant, &[*lead]).await?.into_values().collect();
            found.iter_mut().for_each(|lead| lead.add_email(address.clone()));
            leads::update(c, tenant, &found.iter().collect::<Vec<_>>()).await
        }
        ReplyClass::ContentPermission
        | ReplyClass::NotInterested
        | ReplyClass::Interest
        | ReplyClass::Question
        | ReplyClass::Unclear => Ok(()),
    }
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
