//! What a carrier reports of a send after it accepted it. A report may come before the carrier's answer is stored: then it is
//! kept, and applied with the answer.

use luci_schema::{Event, Micros, TenantId};
use sqlx::PgConnection;

use crate::{
    recipients,
    rules::{
        channel::Channel,
        delivery_status::{CallResult, DeliveryStatus},
        refusal::{self, Fault},
        send_id::SendId,
    },
    store::{
        attempts, dialer_queue,
        early_reports::{self, EarlyReport},
        sender_numbers, sends, sms_queue,
    },
};

/// The report of a message; `error` is the carrier's code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageReport<'a> {
    pub provider_id: &'a str,
    pub status: DeliveryStatus,
    pub provider_status: &'a str,
    pub error: Option<&'a str>,
    pub to: Option<&'a str>,
}

/// Applies the report of a message, or keeps it. Returns the events to append.
pub(crate) async fn of_message(
    c: &mut PgConnection,
    tenant: TenantId,
    report: MessageReport<'_>,
    now: Micros,
) -> Result<Vec<Event>, sqlx::Error> {
    early_reports::lock(c, tenant, report.provider_id).await?;
    if let Some(to) = report.to {
        // A message with unknown outcome was sent after all when its provider reports on it.
        if let Some((id, provider)) = sms_queue::identify(c, tenant, to, report.provider_id).await? {
            let carrier = provider.and_then(|name| name.parse().ok());
            attempts::sent(c, tenant, id.into(), carrier, (report.provider_id, report.provider_status)).await?;
        }
    }
    match sends::by_provider_id(c, tenant, Channel::Sms, report.provider_id).await? {
        Some(id) => apply_message(c, tenant, id, report, now).await,
        None => {
            let early = EarlyReport {
                status: report.status.as_str().into(),
                provider_status: report.provider_status.into(),
                error: report.error.map(str::to_owned),
            };
            early_reports::keep(c, tenant, (Channel::Sms, report.provider_id), &early).await?;
            Ok(Vec::new())
        }
    }
}

async fn apply_message(
    c: &mut PgConnection,
    tenant: TenantId,
    id: SendId,
    report: MessageReport<'_>,
    now: Micros,
) -> Result<Vec<Event>, sqlx::Error> {
    let MessageReport { provider_id, status, provider_status, error, .. } = report;
    attempts::reported(c, tenant, id, status, provider_status, error).await?;
    if !matches!(status, DeliveryStatus::Failed | DeliveryStatus::Undelivered) {
        return Ok(Vec::new());
    }
    sms_queue::undelivered(c, tenant, provider_id, error.unwrap_or(provider_status)).await?;
    let Some(code) = error else { return Ok(Vec::new()) };
    let Some((to, from)) = sms_queue::ends(c, tenant, provider_id).await? else { return Ok(Vec::new()) };
    Ok(match refusal::fault(code) {
        Some(Fault::Recipient(fault)) => vec![recipients::refused(c, tenant, &to, (fault, code, now)).await?],
        Some(Fault::Sender) => pause(c, tenant, &from, code).await?.into_iter().collect(),
        Some(Fault::Outage) | None => Vec::new(),
    })
}

/// Pauses a sender number and alerts. The event to append; none where it is disabled already.
pub(crate) async fn pause(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    code: &str,
) -> Result<Option<Event>, sqlx::Error> {
    let event = sender_numbers::pause(c, tenant, number, code).await?;
    if event.is_some() {
        metrics::counter!("luci_senders_paused_total", "code" => code.to_owned()).increment(1);
        tracing::error!(tenant.id = %tenant, code, "sender number paused: the carrier does not let it send");
    }
    Ok(event.map(Event::from))
}

/// Applies the end of a call, or keeps it.
pub(crate) async fn of_call(
    c: &mut PgConnection,
    tenant: TenantId,
    provider_id: &str,
    (result, provider_status): (CallResult, &str),
) -> Result<(), sqlx::Error> {
    early_reports::lock(c, tenant, provider_id).await?;
    match sends::by_provider_id(c, tenant, Channel::Call, provider_id).await? {
        Some(id) => apply_call(c, tenant, (id, provider_id), (result, provider_status)).await,
        None => {
            let (status, provider_status) = (result.as_str().into(), provider_status.into());
            let early = EarlyReport { status, provider_status, error: None };
            early_reports::keep(c, tenant, (Channel::Call, provider_id), &early).await
        }
    }
}

async fn apply_call(
    c: &mut PgConnection,
    tenant: TenantId,
    (id, provider_id): (SendId, &str),
    (result, provider_status): (CallResult, &str),
) -> Result<(), sqlx::Error> {
    attempts::reported(c, tenant, id, result.delivery(), provider_status, None).await?;
    dialer_queue::ended(c, tenant, provider_id, result).await
}

/// Applies what was reported before the provider's id of a send was stored. The caller holds the lock of the id. Returns the
/// events to append.
pub(crate) async fn apply_early(
    c: &mut PgConnection,
    tenant: TenantId,
    (id, provider_id): (SendId, &str),
    now: Micros,
) -> Result<Vec<Event>, sqlx::Error> {
    let mut events = Vec::new();
    for early in early_reports::take(c, tenant, id.channel(), provider_id).await? {
        let EarlyReport { status, provider_status, error } = &early;
        match (id.channel(), DeliveryStatus::parse(status), CallResult::parse(status)) {
            (Channel::Sms, Some(status), _) => {
                let report = MessageReport { provider_id, status, provider_status, error: error.as_deref(), to: None };
                events.extend(apply_message(c, tenant, id, report, now).await?);
            }
            (Channel::Call, _, Some(result)) => {
                apply_call(c, tenant, (id, provider_id), (result, provider_status)).await?;
            }
            (Channel::Sms, None, _) | (Channel::Call, _, None) => {}
        }
    }
    Ok(events)
}
