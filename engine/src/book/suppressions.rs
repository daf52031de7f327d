//! Table `suppressions`: whom the tenant must not write to or call.

use std::collections::HashSet;

use luci_schema::{Micros, TenantId};
use sqlx::PgConnection;

/// What is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// E.164
    Phone,
    /// Lower case.
    Email,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }
}

/// Why. The first three are for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
