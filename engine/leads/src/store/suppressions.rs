//! Table `suppressions`: phone numbers and e-mail addresses that the tenant must not contact.

use std::collections::HashSet;

use luci_schema::{Micros, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

/// What is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// E.164
    Phone,
    /// Lower case.
    Email,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }
}

/// Why a number or address is suppressed. The first three are permanent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    OptOut,
    LegalDnc,
    Litigator,
    Blacklist,
    WrongNumber,
    InvalidPhone,
    ComplianceHold,
}

impl Reason {
    pub const ALL: [Self; 7] = [
        Self::OptOut,
        Self::LegalDnc,
        Self::Litigator,
        Self::Blacklist,
        Self::WrongNumber,
        Self::InvalidPhone,
        Self::ComplianceHold,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OptOut => "OPT_OUT",
            Self::LegalDnc => "LEGAL_DNC",
            Self::Litigator => "LITIGATOR",
            Self::Blacklist => "BLACKLIST",
            Self::WrongNumber => "WRONG_NUMBER",
            Self::InvalidPhone => "INVALID_PHONE",
            Self::ComplianceHold => "COMPLIANCE_HOLD",
        }
    }

    fn parse(stored: &str) -> Result<Self, sqlx::Error> {
        let unknown = || sqlx::Error::Decode(format!("`{stored}` is not a reason of a suppression").into());
        Self::ALL.into_iter().find(|reason| reason.as_str() == stored).ok_or_else(unknown)
    }

    const fn permanent(self) -> bool {
        matches!(self, Self::OptOut | Self::LegalDnc | Self::Litigator)
    }
}

/// The source of suppressions that an incoming message caused.
pub const MESSAGE: &str = "message";

/// Suppresses a number or address, and stores the source of the suppression: `MESSAGE`.
pub async fn add_from(
    c: &mut PgConnection,
    tenant: TenantId,
    kind: Kind,
    value: &str,
    reason: Reason,
    source: &str,
) -> Result<(), sqlx::Error> {
    add(c, tenant, kind, value, reason, None).await?;
    sqlx::query(
        "update suppressions set source = coalesce(source, $4) where tenant_id = $1 and kind = $2 and value = $3",
    )
    .bind(tenant)
    .bind(kind.as_str())
    .bind(value)
    .bind(source)
    .execute(c)
    .await?;
    Ok(())
}

/// Ends an opt-out that a message caused, when the same person subscribes again. False when the number is suppressed for
/// another reason or not at all.
pub async fn resubscribe(c: &mut PgConnection, tenant: TenantId, phone: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "delete from suppressions where tenant_id = $1 and kind = 'phone' and value = $2
            and reason = $3 and source = $4",
    )
    .bind(tenant)
    .bind(phone)
    .bind(Reason::OptOut.as_str())
    .bind(MESSAGE)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Suppresses a number or address. A permanent suppression is not replaced.
pub async fn add(
    c: &mut PgConnection,
    tenant: TenantId,
    kind: Kind,
    value: &str,
    reason: Reason,
    expires_at: Option<Micros>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into suppressions (tenant_id, kind, value, reason, expires_at) values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, kind, value) do update set reason = excluded.reason, expires_at = excluded.expires_at
          where suppressions.reason not in ('OPT_OUT', 'LEGAL_DNC', 'LITIGATOR')",
    )
    .bind(tenant)
    .bind(kind.as_str())
    .bind(value)
    .bind(reason.as_str())
    .bind(expires_at.filter(|_| !reason.permanent()).map(Micros::date_time))
    .execute(c)
    .await?;
    Ok(())
}

/// Those of the numbers and addresses that are suppressed now.
pub async fn among(
    c: &mut PgConnection,
    tenant: TenantId,
    phones: &[&str],
    emails: &[&str],
) -> Result<HashSet<String>, sqlx::Error> {
    let found: Vec<String> = sqlx::query_scalar(
        "select found.value
           from (select 'phone' as kind, value from unnest($2::text[]) as phone (value)
                 union all select 'email', value from unnest($3::text[]) as email (value)) as requested
          cross join lateral (select value, expires_at from suppressions
                               where tenant_id = $1 and kind = requested.kind and value = requested.value offset 0) as found
          where found.expires_at is null or found.expires_at > now()",
    )
    .bind(tenant)
    .bind(phones)
    .bind(emails)
    .fetch_all(c)
    .await?;
    Ok(found.into_iter().collect())
}

/// A suppression as the API shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppression {
    pub kind: String,
    pub value: String,
    pub reason: String,
    pub source: Option<String>,
    pub created_at: String,
    pub expires_at: Option<String>,
}

/// Suppressions by kind and value, after `after`.
pub async fn list(
    c: &mut PgConnection,
    tenant: TenantId,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<Vec<Suppression>, sqlx::Error> {
    let (kind, value) = after.unwrap_or_default();
    let rows = sqlx::query(
        "select kind, value, reason, source, created_at, expires_at from suppressions
          where tenant_id = $1 and (kind, value) > ($2, $3) order by kind, value limit $4",
    )
    .bind(tenant)
    .bind(kind)
    .bind(value)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        let at = |index: usize| {
            row.try_get::<Option<OffsetDateTime>, _>(index).map(|at| at.map(|at| Micros::from(at).rfc3339()))
        };
        Ok(Suppression {
            kind: row.try_get(0)?,
            value: row.try_get(1)?,
            reason: row.try_get(2)?,
            source: row.try_get(3)?,
            created_at: at(4)?.unwrap_or_default(),
            expires_at: at(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The outcome of removing a suppression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    Done,
    /// It is permanent and stays; its reason.
    Permanent(String),
    Absent,
}

/// Removes a suppression unless it is permanent; returns its reason too, empty when there is none.
pub async fn remove(
    c: &mut PgConnection,
    tenant: TenantId,
    kind: Kind,
    value: &str,
) -> Result<(Removed, String), sqlx::Error> {
    let reason: Option<String> = sqlx::query_scalar(
        "select reason from suppressions where tenant_id = $1 and kind = $2 and value = $3 for update",
    )
    .bind(tenant)
    .bind(kind.as_str())
    .bind(value)
    .fetch_optional(&mut *c)
    .await?;
    let Some(reason) = reason else { return Ok((Removed::Absent, String::new())) };
    if Reason::parse(&reason)?.permanent() {
        return Ok((Removed::Permanent(reason.clone()), reason));
    }
    sqlx::query("delete from suppressions where tenant_id = $1 and kind = $2 and value = $3")
        .bind(tenant)
        .bind(kind.as_str())
        .bind(value)
        .execute(c)
        .await?;
    Ok((Removed::Done, reason))
}
