//! What follows from what was told: reports change attempts and queues; messages are understood, and opt-outs obeyed.

use luci_schema::{ConfigEvent, Event, LeadId, MessageId, TenantId, WebhookId, event::MessageReceived};
use sqlx::PgConnection;

use super::Told;
use crate::{
    admin::webhook_events,
    book::{
        attempts::{self, Report},
        dialer_queue, lead_keys, leads,
        sends::{self, Queue},
        sms_queue,
        suppressions::{self, Kind, Reason},
    },
    lead::{
        answer::{self, Answer},
        keys,
    },
};

/// Acts inside the caller's transaction; answers the events to append.
pub(super) async fn act(
    c: &mut PgConnection,
    tenant: TenantId,
    webhook: WebhookId,
    told: &Told,
) -> Result<Option<Event>, sqlx::Error> {
    match told {
        Told::Status { provider_id, report, word, error, to } => {
            status(c, tenant, provider_id, (*report, word, error.as_deref()), to.as_deref()).await?;
        }
        Told::Call { provider_id, word } => call(c, tenant, provider_id, word).await?,
        Told::Unsubscribed { email } => {
            suppressions::add_from(c, tenant, Kind::Email, email, Reason::OptOut, "message").await?;
        }
        Told::Message { from, text, .. } => return message(c, tenant, webhook, from, text).await.map(Some),
        Told::Other => {}
    }
    Ok(None)
}

async fn status(
    c: &mut PgConnection,
    tenant: TenantId,
    provider_id: &str,
    (report, word, error): (Report, &str, Option<&str>),
    to: Option<&str>,
) -> Result<(), sqlx::Error> {
    if let Some(to) = to {
        // The report of a message whose answer was never heard tells that it was sent after all.
        if let Some((id, provider)) = sms_queue::identify(c, tenant, to, provider_id).await? {
            attempts::sent(c, tenant, &id, provider.as_deref().unwrap_or_default(), provider_id, word).await?;
        }
    }
    let Some(id) = sends::known_as(c, tenant, Queue::Messages, provider_id).await? else { return Ok(()) };
    attempts::reported(c, tenant, &id, report, word, error).await?;
    if matches!(report, Report::Failed | Report::Undelivered) {
        sms_queue::undelivered(c, tenant, provider_id, error.unwrap_or(word)).await?;
    }
    Ok(())
}

async fn call(c: &mut PgConnection, tenant: TenantId, provider_id: &str, word: &str) -> Result<(), sqlx::Error> {
    let report = match word {
        "completed" => Report::Delivered,
        "busy" | "no-answer" => Report::Undelivered,
        "failed" | "canceled" => Report::Failed,
        _ => return Ok(()),
    };
    let Some(id) = sends::known_as(c, tenant, Queue::Calls, provider_id).await? else { return Ok(()) };
    attempts::reported(c, tenant, &id, report, word, None).await?;
    dialer_queue::reported(c, tenant, provider_id, word).await
}

async fn message(
    c: &mut PgConnection,
    tenant: TenantId,
    webhook: WebhookId,
    from: &str,
    text: &str,
) -> Result<Event, sqlx::Error> {
    let answer = answer::read(text);
    let known = leads_of(c, tenant, from).await?;
    // The one that was written to last is the one that answers.
    let lead = known.first().copied();
    let mut message_id: Option<MessageId> = None;
    if let Some(lead) = lead {
        let queue_id = attempts::responded(c, tenant, lead, text, answer.logged()).await?;
        message_id = queue_id.and_then(|id| id.parse().ok());
    }
    obey(c, tenant, from, &known, &answer).await?;
    webhook_events::classified(c, tenant, webhook, lead, answer.as_str()).await?;
    let class = answer.as_str().to_owned();
    let received = MessageReceived { webhook_id: webhook, lead_id: lead, message_id, channel: "sms".into(), class };
    Ok(ConfigEvent::MessageReceived(received).into())
}

/// Leads with this number, the one that was written to last first.
async fn leads_of(c: &mut PgConnection, tenant: TenantId, number: &str) -> Result<Vec<LeadId>, sqlx::Error> {
    let mut known = sms_queue::leads_at(c, tenant, number).await?;
    let key = keys::of_phone(number);
    let holders = lead_keys::holders(c, tenant, &[key]).await?;
    for holder in holders.into_values().flatten() {
        if !known.contains(&holder.lead_id) {
            known.push(holder.lead_id);
        }
    }
    Ok(known)
}

async fn obey(
    c: &mut PgConnection,
    tenant: TenantId,
    from: &str,
    known: &[LeadId],
    answer: &Answer,
) -> Result<(), sqlx::Error> {
    match answer {
        Answer::OptOut => {
            suppressions::add_from(c, tenant, Kind::Phone, from, Reason::OptOut, "message").await?;
            leads::forbid(c, tenant, known).await?;
            silence(c, tenant, from, known, "opt_out").await
        }
        Answer::WrongNumber => {
            suppressions::add_from(c, tenant, Kind::Phone, from, Reason::WrongNumber, "message").await?;
            silence(c, tenant, from, &[], "wrong_number").await
        }
        Answer::Resubscribe => {
            if suppressions::resubscribe(c, tenant, from).await? {
                leads::allow(c, tenant, known).await?;
            }
            Ok(())
        }
        Answer::EmailCaptured(address) => {
            let Some(lead) = known.first() else { return Ok(()) };
            let mut found: Vec<_> = leads::load(c, tenant, &[*lead]).await?.into_values().collect();
            found.iter_mut().for_each(|lead| lead.add_email(address.clone()));
            leads::update(c, tenant, &found.iter().collect::<Vec<_>>()).await
        }
        Answer::ContentPermission | Answer::NotInterested | Answer::Interest | Answer::Question | Answer::Unclear => {
            Ok(())
        }
    }
}

/// Calls off whatever is still queued for the number or the leads.
async fn silence(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    leads: &[LeadId],
    why: &str,
) -> Result<(), sqlx::Error> {
    let mut ids = sms_queue::silence(c, tenant, number, leads, why).await?;
    ids.extend(dialer_queue::silence(c, tenant, number, leads, why).await?);
    attempts::cancelled(c, tenant, &ids, why).await
}
