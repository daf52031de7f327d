//! Messages as people look through them: listed, approved (with the text changed, perhaps), rejected.

use luci_schema::{
    ConfigEvent, LeadId, MessageId, Micros, Position, RunId, StreamId, TenantId, Version,
    event::MessageDecided,
    log::{Log, NewReceipt},
};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use super::waiting::Waiting;
use crate::{
    admin::{
        AdminError, By,
        change::{Change, record},
    },
    book::attempts,
    lead::{message, segments},
};

/// A message as it is listed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    pub message_id: MessageId,
    pub lead_id: LeadId,
    pub run_id: String,
    pub campaign_id: String,
    pub context: String,
    pub attempt_number: i32,
    pub to: String,
    pub body: String,
    pub segments: i16,
    pub status: String,
    pub error_code: Option<String>,
    pub template_id: Option<String>,
    pub approved_by: Option<String>,
    pub created_at: String,
    pub sent_at: Option<String>,
    /// Why it is not sent yet; none when it is its turn, or past that.
    pub waiting_for: Option<Waiting>,
}

/// Which messages.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub status: Option<String>,
    pub run: Option<RunId>,
    /// Only those behind it, newest campaigns first.
    pub before: Option<MessageId>,
}

/// What a person says to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// With other words, where they are given.
    Approve(Option<String>),
    Reject,
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    Now(Position),
    /// It was so already.
    Before,
    /// Too late: the message is in this state.
    TooLate(String),
}

pub async fn list(
    c: &mut PgConnection,
    tenant: TenantId,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Listed>, sqlx::Error> {
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

fn read(row: &PgRow) -> Result<Listed, sqlx::Error> {
    Ok(Listed {
        message_id: row.try_get(0)?,
        lead_id: row.try_get(1)?,
        run_id: row.try_get(2)?,
        campaign_id: row.try_get(3)?,
        context: row.try_get(4)?,
        attempt_number: row.try_get(5)?,
        to: row.try_get(6)?,
        body: row.try_get(7)?,
        segments: row.try_get(8)?,
        status: row.try_get(9)?,
        error_code: row.try_get(10)?,
        template_id: row.try_get(11)?,
        approved_by: row.try_get(12)?,
        created_at: Micros::from(row.try_get::<OffsetDateTime, _>(13)?).rfc3339(),
        sent_at: row.try_get::<Option<OffsetDateTime>, _>(14)?.map(|at| Micros::from(at).rfc3339()),
        waiting_for: None,
    })
}

/// Carries a decision out, inside the caller's transaction. A draft is approved or rejected, an approved message rejected;
/// one whose fate nobody knows may be let go again by a person, or given up.
pub async fn decide(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (id, decision): (MessageId, &Decision),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Decided, AdminError> {
    let row = sqlx::query(
        "select lead_id, status, error_code is not distinct from 'unknown_outcome' from sms_queue
          where tenant_id = $1 and id = $2 for update",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(&mut *c)
    .await?
    .ok_or(AdminError::NotFound("message"))?;
    let (lead_id, status): (LeadId, String) = (row.try_get(0)?, row.try_get(1)?);
    let held = status == "failed" && row.try_get(2)?;
    match (decision, status.as_str()) {
        (Decision::Approve(None), "approved" | "pending") | (Decision::Reject, "rejected") => {
            return Ok(Decided::Before);
        }
        (Decision::Approve(_), "draft") | (Decision::Reject, "draft" | "approved") => {}
        _ if held => {}
        _ => return Ok(Decided::TooLate(status)),
    }
    let queue_id = id.to_string();
    let edited = match decision {
        Decision::Approve(text) => {
            approve(c, tenant, id, text.as_deref(), by).await?;
            attempts::approved(c, tenant, &queue_id, &by.actor.to_string()).await?;
            text.is_some()
        }
        Decision::Reject => {
            reject(c, tenant, id).await?;
            attempts::cancelled(c, tenant, &[queue_id], "rejected").await?;
            false
        }
    };
    let decided = MessageDecided { message_id: id, lead_id, edited };
    let event = match decision {
        Decision::Approve(_) => ConfigEvent::MessageApproved(decided),
        Decision::Reject => ConfigEvent::MessageRejected(decided),
    };
    let stream = StreamId::Message(id);
    let head = log.stream_head(tenant, stream).await.map_err(AdminError::Log)?;
    let version = head.map_or(Version(0), |(version, _)| version);
    let change = Change::after(stream, version, vec![event.into()]).remembered(receipt);
    Ok(Decided::Now(record(log, c, tenant, change, by).await?))
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
    let body = text.map(|text| message::with_way_out(text.trim()));
    sqlx::query(
        "update sms_queue set status = 'approved', body = coalesce($3, body), segments = coalesce($4, segments),
                              attempts = 0, error_code = null, claimed_at = null, approved_by = $5, approved_at = now(),
                              updated_at = now()
          where tenant_id = $1 and id = $2",
    )
    .bind(tenant)
    .bind(id)
    .bind(&body)
    .bind(body.as_deref().map(|body| i16::try_from(segments::count(body)).unwrap_or(i16::MAX)))
    .bind(by.actor.to_string())
    .execute(c)
    .await?;
    Ok(())
}

async fn reject(c: &mut PgConnection, tenant: TenantId, id: MessageId) -> Result<(), sqlx::Error> {
    sqlx::query("update sms_queue set status = 'rejected', updated_at = now() where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .execute(c)
        .await?;
    Ok(())
}
