//! Table `number_holds`: messages that may be an opt-out. Nothing is sent to their numbers until a person has decided.

use luci_schema::{LeadId, Micros, TenantId, WebhookId};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

/// A message that puts its number on hold.
#[derive(Debug, Clone, Copy)]
pub struct NewHold<'a> {
    pub webhook: WebhookId,
    /// E.164
    pub number: &'a str,
    pub lead: Option<LeadId>,
    pub body: &'a str,
    pub rule: &'a str,
}

/// A message on hold as the API lists it. Times are RFC 3339.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    pub webhook_id: WebhookId,
    pub number: String,
    pub lead_id: Option<LeadId>,
    pub text: String,
    pub rule: String,
    pub created_at: String,
    /// Messages and calls that wait for the decision.
    pub waiting: i64,
}

/// What was decided about a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldDecision {
    Released,
    Suppressed,
}

impl HoldDecision {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Suppressed => "suppressed",
        }
    }
}

pub async fn place(c: &mut PgConnection, tenant: TenantId, hold: NewHold<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into number_holds (tenant_id, webhook_id, number, lead_id, body, rule) values ($1, $2, $3, $4, $5, $6)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(hold.webhook)
    .bind(hold.number)
    .bind(hold.lead)
    .bind(hold.body)
    .bind(hold.rule)
    .execute(c)
    .await
    .map(drop)
}

/// Messages on hold, newest first, older than `before`.
pub async fn list(
    c: &mut PgConnection,
    tenant: TenantId,
    before: Option<WebhookId>,
    limit: u32,
) -> Result<Vec<Hold>, sqlx::Error> {
    let rows = sqlx::query(
        "select webhook_id, number, lead_id, body, rule, created_at,
                (select count(*) from sms_queue q where q.tenant_id = h.tenant_id and q.to_number = h.number
                    and q.status in ('draft', 'approved', 'pending'))
                + (select count(*) from dialer_queue d where d.tenant_id = h.tenant_id and d.phone = h.number
                      and d.status = 'pending')
           from number_holds h
          where tenant_id = $1 and decision is null and ($2::text is null or webhook_id < $2)
          order by webhook_id desc limit $3",
    )
    .bind(tenant)
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    let read = |row: &PgRow| {
        Ok(Hold {
            webhook_id: row.try_get(0)?,
            number: row.try_get(1)?,
            lead_id: row.try_get(2)?,
            text: row.try_get(3)?,
            rule: row.try_get(4)?,
            created_at: Micros::from(row.try_get::<OffsetDateTime, _>(5)?).rfc3339(),
            waiting: row.try_get(6)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The deliveries that were decided, newest first; empty when the number is not on hold.
pub async fn decide(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    decision: HoldDecision,
    by: &str,
) -> Result<Vec<WebhookId>, sqlx::Error> {
    let mut decided: Vec<WebhookId> = sqlx::query_scalar(
        "update number_holds set decision = $3, decided_by = $4, decided_at = now()
          where tenant_id = $1 and number = $2 and decision is null returning webhook_id",
    )
    .bind(tenant)
    .bind(number)
    .bind(decision.as_str())
    .bind(by)
    .fetch_all(c)
    .await?;
    decided.sort_unstable_by(|a, b| b.cmp(a));
    Ok(decided)
}

/// The numbers of all holds, decided ones too.
pub async fn numbers(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<String>, sqlx::Error> {
    let sql = "select distinct number from number_holds where tenant_id = $1";
    sqlx::query_scalar(sql).bind(tenant).fetch_all(c).await
}
