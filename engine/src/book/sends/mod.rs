//! The life of a queued send, the same in both queues: a row is claimed and committed as in hand before any provider is
//! called, and what was claimed is never sent again unless the provider said no.

mod outcome;
mod room;

use luci_schema::{LeadId, Micros, TenantId};
use sqlx::{AssertSqlSafe, PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

pub use outcome::{Next, Refused, abandoned, known_as, refused, sent, unknown};
pub use room::{Room, room};

use super::{dialer_queue, sms_queue};
use crate::admin::sending::Settings;

/// One of the two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    Messages,
    Calls,
}

/// The words in which they differ.
pub struct Words {
    pub table: &'static str,
    /// Of the tenant's lock: limits are counted by one sender at a time.
    pub lock: &'static str,
    /// Column of the recipient's number.
    pub number: &'static str,
    /// Status of a send that a sender has in hand.
    pub in_hand: &'static str,
    /// Status of one that the provider took, and the columns of when and of the provider's id.
    pub sent: &'static str,
    pub sent_at: &'static str,
    pub provider_id: &'static str,
    /// Status of one that must not be sent.
    pub called_off: &'static str,
}

impl Queue {
    const fn words(self) -> &'static Words {
        match self {
            Self::Messages => &sms_queue::WORDS,
            Self::Calls => &dialer_queue::WORDS,
        }
    }

    /// A statement about this queue, `{…}` being its words: constants of ours, never anybody's data.
    fn sql(self, text: &str) -> AssertSqlSafe<String> {
        let words = self.words();
        let slots = [
            ("{queue}", words.table),
            ("{number}", words.number),
            ("{in_hand}", words.in_hand),
            ("{sent}", words.sent),
            ("{sent_at}", words.sent_at),
            ("{provider_id}", words.provider_id),
            ("{called_off}", words.called_off),
        ];
        AssertSqlSafe(slots.iter().fold(text.to_owned(), |text, (slot, word)| text.replace(slot, word)))
    }
}

/// A send that this process alone may carry out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// `msg_…` or `call_…`
    pub id: String,
    pub lead_id: LeadId,
    pub to: String,
    pub from: String,
    /// What is written; a call has none.
    pub text: Option<Text>,
    /// `signalhouse` or `twilio`.
    pub provider: String,
    /// Fences older holders.
    pub claim: i64,
    /// It cannot have been sent before.
    pub queued_at: Micros,
    pub attempts: i16,
    pub max_attempts: i16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub body: String,
    pub media_url: Option<String>,
}

/// Until the transaction ends, no other sender claims for this tenant. False when another is at it.
pub async fn lock(c: &mut PgConnection, tenant: TenantId, queue: Queue) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended($1 || $2, 0))")
        .bind(queue.words().lock)
        .bind(tenant)
        .fetch_one(c)
        .await
}

/// Whether anything is due at all.
pub async fn due(c: &mut PgConnection, tenant: TenantId, queue: Queue) -> Result<bool, sqlx::Error> {
    let due =
        "select exists (select from {queue} where tenant_id = $1 and status = 'pending' and scheduled_at <= now())";
    sqlx::query_scalar(queue.sql(due)).bind(tenant).fetch_one(c).await
}

/// Locks the next one whose recipient's window is open; skips what others hold. Its id, lead and number.
pub async fn next(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    settings: &Settings,
) -> Result<Option<(String, LeadId, String)>, sqlx::Error> {
    sqlx::query_as(queue.sql(
        "select id, lead_id, {number} from {queue} q
          where tenant_id = $1 and status = 'pending' and scheduled_at <= now()
            and send_window_open(now(), coalesce(q.time_zone, $2), $3::time, $4::time, $5)
          order by priority desc, created_at limit 1 for update of q skip locked",
    ))
    .bind(tenant)
    .bind(&settings.time_zone)
    .bind(&settings.window_from)
    .bind(&settings.window_to)
    .bind(settings.days.iter().copied().map(i16::from).collect::<Vec<_>>())
    .fetch_optional(c)
    .await
}

/// Takes a locked one. The caller commits before it calls the provider.
pub async fn claim(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    (id, provider, from): (&str, &str, &str),
) -> Result<Claimed, sqlx::Error> {
    let row = sqlx::query(queue.sql(
        "update {queue}
            set status = '{in_hand}', claim = claim + 1, claimed_at = clock_timestamp(), attempts = attempts + 1,
                provider = $3, from_number = $4, updated_at = now()
          where tenant_id = $1 and id = $2 returning *",
    ))
    .bind(tenant)
    .bind(id)
    .bind(provider)
    .bind(from)
    .fetch_one(c)
    .await?;
    read(queue, &row)
}

/// Calls off what must not be sent, whatever state short of sending it is in.
pub async fn call_off(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    (id, why): (&str, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(queue.sql(
        "update {queue} set status = '{called_off}', error_code = $3, updated_at = now()
          where tenant_id = $1 and id = $2 and status in ('draft', 'approved', 'pending')",
    ))
    .bind(tenant)
    .bind(id)
    .bind(why)
    .execute(c)
    .await?;
    Ok(())
}

fn read(queue: Queue, row: &PgRow) -> Result<Claimed, sqlx::Error> {
    let text = match queue {
        Queue::Messages => Some(Text { body: row.try_get("body")?, media_url: row.try_get("media_url")? }),
        Queue::Calls => None,
    };
    Ok(Claimed {
        id: row.try_get("id")?,
        lead_id: row.try_get("lead_id")?,
        to: row.try_get(queue.words().number)?,
        from: row.try_get::<Option<String>, _>("from_number")?.unwrap_or_default(),
        text,
        provider: row.try_get::<Option<String>, _>("provider")?.unwrap_or_default(),
        claim: row.try_get("claim")?,
        queued_at: row.try_get::<OffsetDateTime, _>("created_at")?.into(),
        attempts: row.try_get("attempts")?,
        max_attempts: row.try_get("max_attempts")?,
    })
}
