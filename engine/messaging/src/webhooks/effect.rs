//! Applies a provider's event: reports update attempts and queues; replies are classified, and opt-outs take effect.

use luci_leads::store::{
    leads,
    suppressions::{self, Kind, MadeBy, Origin, Reason},
};
use luci_schema::{ConfigEvent, Event, LeadId, MessageId, Micros, TenantId, WebhookId, event::MessageReceived};
use sqlx::PgConnection;

use crate::{
    recipients,
    reports::{self, MessageReport},
    rules::reply::{self, CarrierVerdict, Reply, ReplyClass, RuleKind},
    store::{
        attempts,
        number_holds::{self, NewHold},
        webhook_events,
    },
    webhooks::ProviderEvent,
};

/// Characters of a text that are stored.
const MAX_TEXT: usize = 4_000;

/// Runs inside the caller's transaction. Returns the events to append.
pub(super) async fn apply(
    c: &mut PgConnection,
    tenant: TenantId,
    webhook: WebhookId,
    event: &ProviderEvent,
) -> Result<Vec<Event>, sqlx::Error> {
    match event {
        ProviderEvent::MessageStatus { provider_id, status, provider_status, error, to } => {
            let (error, to) = (error.as_deref(), to.as_deref());
            let report = MessageReport { provider_id, status: *status, provider_status, error, to };
            reports::of_message(c, tenant, report, Micros::now()).await
        }
        ProviderEvent::CallEnded { provider_id, result, provider_status } => {
            reports::of_call(c, tenant, provider_id, (*result, provider_status)).await?;
            Ok(Vec::new())
        }
        ProviderEvent::Unsubscribed { email } => {
            let made_by = MadeBy { origin: Origin::Keyword, rule: "email:unsubscribed", webhook: Some(webhook) };
            suppressions::add_from(c, tenant, (Kind::Email, email), (Reason::OptOut, None), made_by).await?;
            Ok(Vec::new())
        }
        ProviderEvent::MessageReceived { from, text, verdict } => {
            let text: String = text.chars().take(MAX_TEXT).collect();
            Ok(vec![apply_reply(c, tenant, webhook, from, (&text, *verdict)).await?])
        }
        ProviderEvent::Other | ProviderEvent::Unread(_) => Ok(Vec::new()),
    }
}

async fn apply_reply(
    c: &mut PgConnection,
    tenant: TenantId,
    webhook: WebhookId,
    from: &str,
    (text, verdict): (&str, Option<CarrierVerdict>),
) -> Result<Event, sqlx::Error> {
    let reply = reply::classify(text, verdict);
    let leads = recipients::leads_of(c, tenant, from).await?;
    // The reply is attributed to the lead that was sent the newest message.
    let lead = leads.first().copied();
    let mut message_id: Option<MessageId> = None;
    if let Some(lead) = lead.filter(|_| reply.class != ReplyClass::Reaction) {
        let queue_id = attempts::responded(c, tenant, lead, text, reply.class.attempt_class()).await?;
        message_id = queue_id.and_then(|id| id.parse().ok());
    }
    apply_class(c, tenant, (webhook, from, text), &leads, &reply).await?;
    webhook_events::set_class(c, tenant, webhook, lead, reply.class.as_str()).await?;
    metrics::counter!("luci_replies_total", "class" => reply.class.as_str(), "rule" => reply.kind.as_str())
        .increment(1);
    let received = MessageReceived {
        webhook_id: webhook,
        lead_id: lead,
        message_id,
        channel: "sms".into(),
        class: reply.class.as_str().to_owned(),
        rule: Some(reply.rule),
    };
    Ok(ConfigEvent::MessageReceived(received).into())
}

async fn apply_class(
    c: &mut PgConnection,
    tenant: TenantId,
    (webhook, from, text): (WebhookId, &str, &str),
    lead_ids: &[LeadId],
    reply: &Reply,
) -> Result<(), sqlx::Error> {
    let made_by = MadeBy { origin: origin(reply.kind), rule: &reply.rule, webhook: Some(webhook) };
    match &reply.class {
        ReplyClass::OptOut => recipients::opt_out(c, tenant, from, lead_ids, made_by).await,
        ReplyClass::Hold => {
            let hold =
                NewHold { webhook, number: from, lead: lead_ids.first().copied(), body: text, rule: &reply.rule };
            number_holds::place(c, tenant, hold).await
        }
        ReplyClass::WrongNumber => recipients::wrong_number(c, tenant, from, made_by).await,
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
        ReplyClass::Reaction
        | ReplyClass::ContentPermission
        | ReplyClass::NotInterested
        | ReplyClass::Interest
        | ReplyClass::Question
        | ReplyClass::Unclear => Ok(()),
    }
}

const fn origin(kind: RuleKind) -> Origin {
    match kind {
        RuleKind::Carrier => Origin::Carrier,
        RuleKind::Keyword => Origin::Keyword,
        RuleKind::Request
        | RuleKind::MayBe
        | RuleKind::Quoted
        | RuleKind::Reaction
        | RuleKind::Words
        | RuleKind::None => Origin::Rule,
    }
}
