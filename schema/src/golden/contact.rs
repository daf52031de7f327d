//! Samples of messaging events.

use super::samples::ulid;
use crate::{
    ConfigEvent, Event, KeyId, LeadId, MessageId, StreamId, TemplateId, TenantId, WebhookId,
    event::{
        HoldDecided, MessageDecided, MessageReceived, NumberChanged, NumberPaused, SendingUpdated, SuppressionChanged,
        TemplatePublished, TokenCreated, TokenRevoked, WebhookReceived, WebhookResolved,
    },
};

fn sending() -> SendingUpdated {
    SendingUpdated {
        window: "09:00-17:00".into(),
        days: vec![1, 2, 3, 4, 5],
        daily_limit: 2_000,
        hourly_limit: 500,
        weekly_per_number: None,
        monthly_per_number: None,
        holidays: None,
        federal_holidays: None,
        allowed_countries: Vec::new(),
    }
}

pub(super) fn all(tenant: TenantId) -> Vec<(StreamId, Event)> {
    let (lead_id, message_id) = (LeadId::from_ulid(ulid(21)), MessageId::from_ulid(ulid(22)));
    let (token_id, webhook_id) = (KeyId::from_ulid(ulid(23)), WebhookId::from_ulid(ulid(24)));
    let template_id = TemplateId::from_ulid(ulid(25));
    let template = TemplatePublished {
        template_id,
        channel: "sms".into(),
        name: "Opener".into(),
        version: 2,
        object_path: "tenant/templates/sms/tpl.json".into(),
        checksum: "ab".repeat(32),
    };
    let decided = |edited| MessageDecided { message_id, lead_id, edited };
    let suppressed = || SuppressionChanged { reason: "OPT_OUT".into(), rule: None, webhook_id: None };
    let number = || NumberChanged { provider: "signalhouse".into(), number: "+12125550100".into() };
    let token = TokenCreated { token_id, source: "stripe".into(), purpose: "status".into() };
    let webhook = WebhookReceived {
        webhook_id,
        source: "signalhouse".into(),
        kind: "message.received".into(),
        purpose: "status".into(),
        verified_by: "token".into(),
        object_path: "tenant/webhooks/signalhouse/2024-12-05/wh.json".into(),
        size_bytes: 412,
        checksum: "cd".repeat(32),
        unread: None,
    };
    let received = MessageReceived {
        webhook_id,
        lead_id: Some(lead_id),
        message_id: Some(message_id),
        channel: "sms".into(),
        class: "interest".into(),
        rule: None,
    };
    let tenant: StreamId = tenant.into();
    [
        (template_id.into(), ConfigEvent::TemplatePublished(template)),
        (message_id.into(), ConfigEvent::MessageApproved(decided(true))),
        (message_id.into(), ConfigEvent::MessageRejected(decided(false))),
        (webhook_id.into(), ConfigEvent::MessageReceived(received)),
        (tenant, ConfigEvent::SuppressionAdded(suppressed())),
        (tenant, ConfigEvent::SuppressionRemoved(suppressed())),
        (tenant, ConfigEvent::SendingUpdated(sending())),
        (tenant, ConfigEvent::NumberAdded(number())),
        (tenant, ConfigEvent::NumberRemoved(number())),
        (token_id.into(), ConfigEvent::TokenCreated(token)),
        (token_id.into(), ConfigEvent::TokenRevoked(TokenRevoked { token_id })),
        (webhook_id.into(), ConfigEvent::WebhookReceived(Box::new(webhook))),
    ]
    .into_iter()
    .chain(reviewed(tenant, webhook_id))
    .map(|(stream, event)| (stream, event.into()))
    .collect()
}

/// What a person looks at.
fn reviewed(tenant: StreamId, webhook_id: WebhookId) -> [(StreamId, ConfigEvent); 4] {
    let paused = NumberPaused { provider: "twilio".into(), number: "+12125550100".into(), code: "30034".into() };
    let hold = || HoldDecided { webhook_id, messages: 1 };
    [
        (tenant, ConfigEvent::NumberPaused(paused)),
        (tenant, ConfigEvent::HoldReleased(hold())),
        (tenant, ConfigEvent::HoldSuppressed(hold())),
        (webhook_id.into(), ConfigEvent::WebhookResolved(WebhookResolved { webhook_id })),
    ]
}
