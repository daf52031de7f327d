//! Table `suppressions`: phone numbers and e-mail addresses that the tenant must not contact.

mod hashed;
mod reason;

use std::collections::{HashMap, HashSet};

use luci_config::vault::{ERASED, Vault};
use luci_schema::{Micros, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use self::{hashed::Hashes, reason::removable};

pub use self::{
    hashed::hashes,
    reason::{Kind, MadeBy, Origin, Reason},
};

/// Suppresses a number or address and records what made the suppression. One that is permanent is not replaced, but what a rule
/// made becomes the carrier's or the keyword's.
pub async fn add_from(
    c: &mut PgConnection,
    tenant: TenantId,
    (kind, value): (Kind, &str),
    (reason, expires_at): (Reason, Option<Micros>),
    made_by: MadeBy<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into suppressions (tenant_id, kind, value, reason, expires_at, source, origin, rule, webhook_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (tenant_id, kind, value) do update
            set reason = excluded.reason, expires_at = excluded.expires_at, source = excluded.source,
                origin = excluded.origin, rule = excluded.rule, webhook_id = excluded.webhook_id
          where (suppressions.reason not in ('OPT_OUT', 'LEGAL_DNC', 'LITIGATOR')
                 and (excluded.expires_at is null or suppressions.expires_at < excluded.expires_at))
             or (suppressions.reason = 'OPT_OUT' and excluded.reason = 'OPT_OUT'
                 and suppressions.origin = 'rule' and excluded.origin in ('carrier', 'keyword'))",
    )
    .bind(tenant)
    .bind(kind.as_str())
    .bind(value)
    .bind(reason.as_str())
    .bind(expires_at.filter(|_| !reason.permanent()).map(Micros::date_time))
    .bind(made_by.origin.source())
    .bind(made_by.origin.as_str())
    .bind(made_by.rule)
    .bind(made_by.webhook)
    .execute(c)
    .await?;
    Ok(())
}

/// Ends an opt-out that a message or the carrier caused, when the same person subscribes again. False when the number is
/// suppressed for another reason or not at all.
pub async fn resubscribe(c: &mut PgConnection, tenant: TenantId, phone: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "delete from suppressions where tenant_id = $1 and kind = 'phone' and value = $2
            and reason = $3 and source in ('message', 'carrier')",
    )
    .bind(tenant)
    .bind(phone)
    .bind(Reason::OptOut.as_str())
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

/// Suppresses the numbers and addresses of an erased person for ever, by hashes; nothing readable of them stays.
pub async fn add_erased(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    contacts: (&[&str], &[&str]),
) -> Result<(), sqlx::Error> {
    let hashes = Hashes::of(vault, tenant, contacts);
    sqlx::query(
        "insert into suppressions (tenant_id, kind, value, reason, source, origin)
         select $1, 'phone', unnest($2::text[]), 'ERASED', 'person', 'person'
         union all select $1, 'email', unnest($3::text[]), 'ERASED', 'person', 'person'
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(hashes.phones)
    .bind(hashes.emails)
    .execute(c)
    .await?;
    Ok(())
}

/// What is stored readable, of either kind, also what no longer holds.
pub async fn readable(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<String>, sqlx::Error> {
    let sql = "select value from suppressions where tenant_id = $1 and not starts_with(value, $2)";
    sqlx::query_scalar(sql).bind(tenant).bind(ERASED).fetch_all(c).await
}

/// The hashes of all that the tenant has suppressed; without the vault, of what is stored as a hash.
pub async fn known_hashes(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: Option<&Vault>,
) -> Result<Vec<String>, sqlx::Error> {
    let sql = "select kind = 'phone', value from suppressions
                where tenant_id = $1 and (expires_at is null or expires_at > now())";
    let rows: Vec<(bool, String)> = sqlx::query_as(sql).bind(tenant).fetch_all(c).await?;
    let (hashed, readable): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, value)| value.starts_with(ERASED));
    let mut known: Vec<String> = hashed.into_iter().map(|(_, value)| value).collect();
    if let Some(vault) = vault {
        let of =
            |phones: bool| readable.iter().filter(move |(phone, _)| *phone == phones).map(|(_, value)| value.as_str());
        known.extend(hashes(vault, tenant, Kind::Phone, &of(true).collect::<Vec<_>>()));
        known.extend(hashes(vault, tenant, Kind::Email, &of(false).collect::<Vec<_>>()));
    }
    Ok(known)
}

/// Suppresses what only a hash is known of.
pub async fn add_hash(
    c: &mut PgConnection,
    tenant: TenantId,
    (kind, hash, reason, expires_at): (Kind, &str, &str, Option<Micros>),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into suppressions (tenant_id, kind, value, reason, expires_at, source, origin)
         values ($1, $2, $3, $4, $5, 'person', 'person') on conflict do nothing",
    )
    .bind(tenant)
    .bind(kind.as_str())
    .bind(hash)
    .bind(Reason::parse(reason)?.as_str())
    .bind(expires_at.map(Micros::date_time))
    .execute(c)
    .await?;
    Ok(())
}

/// The numbers and addresses that are suppressed now, those of erased people among them.
pub async fn among(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    phones: &[&str],
    emails: &[&str],
) -> Result<HashSet<String>, sqlx::Error> {
    let hashes = Hashes::of(vault, tenant, (phones, emails));
    let hashed = |plain: &[&str], hashes: &[String]| -> Vec<(String, String)> {
        hashes.iter().cloned().zip(plain.iter().map(|value| (*value).to_owned())).collect()
    };
    let readable: HashMap<String, String> =
        hashed(phones, &hashes.phones).into_iter().chain(hashed(emails, &hashes.emails)).collect();
    let phones: Vec<&str> = phones.iter().copied().chain(hashes.phones.iter().map(String::as_str)).collect();
    let emails: Vec<&str> = emails.iter().copied().chain(hashes.emails.iter().map(String::as_str)).collect();
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
    Ok(found.into_iter().map(|value| readable.get(&value).cloned().unwrap_or(value)).collect())
}

/// A suppression as the API shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppression {
    pub kind: String,
    pub value: String,
    pub reason: String,
    pub source: Option<String>,
    /// `carrier`, `keyword`, `rule` or `person`.
    pub origin: Option<String>,
    pub rule: Option<String>,
    /// The delivery of the message.
    pub webhook_id: Option<String>,
    /// Whether an admin may remove it.
    pub removable: bool,
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
        "select kind, value, reason, source, created_at, expires_at, origin, rule, webhook_id from suppressions
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
        let (reason, origin): (String, Option<String>) = (row.try_get(2)?, row.try_get(6)?);
        Ok(Suppression {
            kind: row.try_get(0)?,
            value: row.try_get(1)?,
            removable: removable(Reason::parse(&reason)?, origin.as_deref()),
            reason,
            source: row.try_get(3)?,
            origin,
            rule: row.try_get(7)?,
            webhook_id: row.try_get(8)?,
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
    /// It stays: it is permanent, or the carrier's; its reason.
    Permanent(String),
    Absent,
}

/// Removes a suppression that a person may lift; returns its reason too, empty when there is none.
pub async fn remove(
    c: &mut PgConnection,
    tenant: TenantId,
    kind: Kind,
    value: &str,
) -> Result<(Removed, String), sqlx::Error> {
    let found: Option<(String, Option<String>)> = sqlx::query_as(
        "select reason, origin from suppressions where tenant_id = $1 and kind = $2 and value = $3 for update",
    )
    .bind(tenant)
    .bind(kind.as_str())
    .bind(value)
    .fetch_optional(&mut *c)
    .await?;
    let Some((reason, origin)) = found else { return Ok((Removed::Absent, String::new())) };
    if !removable(Reason::parse(&reason)?, origin.as_deref()) {
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
