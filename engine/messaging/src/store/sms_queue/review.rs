//! Review of queued messages by people: list, approve (optionally with another text), reject.

use luci_config::{
    AdminError, By,
    change::{Change, record},
};
use luci_schema::{
    ConfigEvent, LeadId, MessageId, Micros, Position, RunId, StreamId, TenantId, Version,
    event::MessageDecided,
    log::{Log, NewReceipt},
};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::{
    rules::{message, message_status::MessageStatus, segments, send_id::SendId},
    store::{
        attempts,
        sms_queue::{send_wait::SendWait, table},
    },
};

/// A message as the API lists it. Times are RFC 3339.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedMessage {
    pub message_id: MessageId,
    pub lead_id: LeadId,
    pub run_id: String,
    pub campaign_id: String,
    pub context: String,
    pub attempt_number: i32,
    pub to: String,
    pub body: String,
    pub segments: i16,
    pub status: MessageStatus,
    pub error_code: Option<String>,
    pub template_id: Option<String>,
    pub approved_by: Option<String>,
    pub created_at: String,
    pub sent_at: Option<String>,
    /// Why it is not sent yet; none when it is sent next, or sent or ended already.
    pub waiting_for: Option<SendWait>,
}

#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    pub status: Option<String>,
    pub run: Option<RunId>,
    /// The cursor: only messages with a smaller id.
    pub before: Option<MessageId>,
}

/// A person's decision on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// With another text, where there is one.
    Approve(Option<String>),
    Reject,
}

/// The outcome of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// Recorded at this position of the log.
    Applied(Position),
    /// The message had been decided that way before.
    Unchanged,
    /// The message can no longer be decided: its status.
    TooLate(MessageStatus),
}

/// Newest first.
pub async fn list(
    c: &mut PgConnection,
    tenant: TenantId,
    filter: &MessageFilter,
    limit: u32,
) -> Result<Vec<ListedMessage>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, lead_id, run_id, campaign_id, context, attempt_number, to_number, body, segments, status, error_code,
                template_id, approved_by, created_at, sent_at
           from sms_queue
          where tenant_id = $1 and ($2::text is null or status = $2) and ($3::text is null or run_id = $3)
            and ($4::text is null or id < $4) order by id desc limit $5",
    )
    .bind(tenant)
    .bind(&filter.status)
    .bind(filter.run)
    .bind(filter.before)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<ListedMessage, sqlx::Error> {
    Ok(ListedMessage {
        message_id: row.try_get(0)?,
        lead_id: row.try_get(1)?,
        run_id: row.try_get(2)?,
        campaign_id: row.try_get(3)?,
        context: row.try_get(4)?,
        attempt_number: row.try_get(5)?,
        to: row.try_get(6)?,
        body: row.try_get(7)?,
        segments: row.try_get(8)?,
        status: read_status(row.try_get(9)?)?,
        error_code: row.try_get(10)?,
        template_id: row.try_get(11)?,
        approved_by: row.try_get(12)?,
        created_at: Micros::from(row.try_get::<OffsetDateTime, _>(13)?).rfc3339(),
        sent_at: row.try_get::<Option<OffsetDateTime>, _>(14)?.map(|at| Micros::from(at).rfc3339()),
        waiting_for: None,
    })
}

fn read_status(text: &str) -> Result<MessageStatus, sqlx::Error> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Applies a decision and records it, inside the caller's transaction. A draft can be approved or rejected, an approved
/// message rejected; a message with unknown outcome can be approved (it is sent again) or rejected.
pub async fn decide(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (id, decision): (MessageId, &Decision),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Decided, AdminError> {
    let (lead_id, status, unknown_outcome) = lock(c, tenant, id).await?;
    match (decision, status) {
        (Decision::Approve(None), MessageStatus::Approved | MessageStatus::Pending)
        | (Decision::Reject, MessageStatus::Rejected) => return Ok(Decided::Unchanged),
        (Decision::Approve(_), MessageStatus::Draft)
        | (Decision::Reject, MessageStatus::Draft | MessageStatus::Approved) => {}
        _ if unknown_outcome => {}
        _ => return Ok(Decided::TooLate(status)),
    }
    let edited = match decision {
        Decision::Approve(text) => {
            approve(c, tenant, id, text.as_deref(), by).await?;
            attempts::approved(c, tenant, id.into(), &by.actor.to_string()).await?;
            text.is_some()
        }
        Decision::Reject => {
            table::reject(c, tenant, id).await?;
            attempts::cancelled(c, tenant, &[SendId::Message(id)], "rejected").await?;
            false
        }
    };
    let decided = MessageDecided { message_id: id, lead_id, edited };
    let event = match decision {
        Decision::Approve(_) => ConfigEvent::MessageApproved(decided),
        Decision::Reject => ConfigEvent::MessageRejected(decided),
    };
    let stream = StreamId::Message(id);
    let head = luci_schema::log::stream_head(c, tenant, stream).await.map_err(AdminError::Log)?;
    let version = head.map_or(Version(0), |(version, _)| version);
    let change = Change::after(stream, version, vec![event.into()]).with_receipt(receipt);
    Ok(Decided::Applied(record(log, c, tenant, change, by).await?))
}

/// Locks a message. Returns its lead, its status, and whether its outcome is unknown.
async fn lock(
    c: &mut PgConnection,
    tenant: TenantId,
    id: MessageId,
) -> Result<(LeadId, MessageStatus, bool), AdminError> {
    let row = sqlx::query(
        "select lead_id, status, status = 'failed' and error_code is not distinct from 'unknown_outcome' from sms_queue
          where tenant_id = $1 and id = $2 for update",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(c)
    .await?
    .ok_or(AdminError::NotFound("message"))?;
    Ok((row.try_get(0)?, read_status(row.try_get(1)?)?, row.try_get(2)?))
}

async fn approve(
    c: &mut PgConnection,
    tenant: TenantId,
    id: MessageId,
    text: Option<&str>,
    by: &By,
) -> Result<(), AdminError> {
    if text.is_some_and(|text| !(1..=1_600).contains(&text.trim().chars().count())) {
        return Err(AdminError::Invalid { field: "body", reason: "1 to 1600 characters".into() });
    }
    let body = text.map(|text| message::with_opt_out(text.trim()));
    let text = body.as_deref().map(|body| (body, i16::try_from(segments::count(body)).unwrap_or(i16::MAX)));
    Ok(table::approve(c, tenant, id, text, &by.actor.to_string()).await?)
}
