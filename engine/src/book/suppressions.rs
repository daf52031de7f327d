//! Table `suppressions`: whom the tenant must not write to or call.

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

/// Why. The first three are for ever.
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

    const fn permanent(self) -> bool {
        matches!(self, Self::OptOut | Self::LegalDnc | Self::Litigator)
    }
}

/// Suppresses because of something that was received; `source` says what.
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

/// Ends an opt-out that a message brought: the same person asks to be written to again. True when nothing else
/// suppresses the number.
pub async fn resubscribe(c: &mut PgConnection, tenant: TenantId, phone: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "delete from suppressions where tenant_id = $1 and kind = 'phone' and value = $2
            and reason = 'OPT_OUT' and source = 'message'",
    )
    .bind(tenant)
    .bind(phone)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Suppresses a number or address. One that is suppressed for ever is not weakened by a later, lesser reason.
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

/// Those of the numbers and addresses that are suppressed at this moment.
pub async fn among(
    c: &mut PgConnection,
    tenant: TenantId,
    phones: &[&str],
    emails: &[&str],
) -> Result<HashSet<String>, sqlx::Error> {
    let found: Vec<String> = sqlx::query_scalar(
        "select found.value
           from (select 'phone' as kind, value from unnest($2::text[]) as phone (value)
                 union all select 'email', value from unnest($3::text[]) as email (value)) as asked
          cross join lateral (select value, expires_at from suppressions
                               where tenant_id = $1 and kind = asked.kind and value = asked.value offset 0) as found
          where found.expires_at is null or found.expires_at > now()",
    )
    .bind(tenant)
    .bind(phones)
    .bind(emails)
    .fetch_all(c)
    .await?;
    Ok(found.into_iter().collect())
}

/// A suppression as it is listed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    pub kind: String,
    pub value: String,
    pub reason: String,
    pub source: Option<String>,
    pub created_at: String,
    pub expires_at: Option<String>,
}

/// Suppressions in the order of kind and value, behind `after`.
pub async fn list(
    c: &mut PgConnection,
    tenant: TenantId,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<Vec<Listed>, sqlx::Error> {
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
        Ok(Listed {
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

/// What came of taking a suppression away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    Done,
    /// For ever: the reason.
    Permanent(String),
    Absent,
}

/// Takes a suppression away that can be reviewed.
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
    if Reason::ALL.into_iter().any(|known| known.permanent() && known.as_str() == reason) {
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
