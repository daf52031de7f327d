//! Tables `provider_limits`, `provider_grants`, `provider_days` and `provider_waiting`: the quota of each account and tenant.
//!
//! Shared by all processes: one statement for each portion of a block, none without limits.

use std::time::Duration;

use luci_config::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use luci_schema::{
    ConfigEvent, Position, TenantId,
    event::ProviderLimited,
    log::{Log, NewReceipt},
};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row};

use crate::{descriptor::Limits, name::ProviderName, scope::Scope};

/// A tenant's own limits; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnLimits {
    pub per_minute: Option<u32>,
    pub per_day: Option<u32>,
}

/// The limits of calls with an account: `own` are the tenant's, `installation` those of the installation's credential, which
/// protect that credential only.
pub fn of_account(scope: Scope, own: OwnLimits, installation: Limits) -> Limits {
    let least = |one: Option<u32>, other: Option<u32>| one.into_iter().chain(other).min();
    match scope {
        Scope::Tenant(_) => Limits { per_minute: own.per_minute, per_day: own.per_day, ..Limits::default() },
        Scope::Installation => Limits {
            tenant_per_minute: least(own.per_minute, installation.tenant_per_minute),
            tenant_per_day: least(own.per_day, installation.tenant_per_day),
            ..installation
        },
    }
}

/// What the tenant may still look up today (UTC), and on a whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayQuota {
    pub left: u64,
    pub per_day: u32,
}

/// `None` without a limit per day.
pub async fn day_quota(
    c: &mut PgConnection,
    tenant: TenantId,
    provider: ProviderName,
    scope: Scope,
    limits: &Limits,
) -> Result<Option<DayQuota>, sqlx::Error> {
    if limits.per_day.is_none() && limits.tenant_per_day.is_none() {
        return Ok(None);
    }
    let (all, own): (i64, i64) = sqlx::query_as(
        "select coalesce(sum(people), 0)::bigint, coalesce(sum(people) filter (where tenant_id = $3), 0)::bigint
           from provider_days where provider = $1 and account = $2 and day = (now() at time zone 'utc')::date",
    )
    .bind(provider.as_str())
    .bind(scope.to_string())
    .bind(tenant)
    .fetch_one(c)
    .await?;
    let quota = |(limit, used): (Option<u32>, i64)| {
        let left = |per_day: u32| u64::from(per_day).saturating_sub(u64::try_from(used).unwrap_or(0));
        limit.map(|per_day| DayQuota { left: left(per_day), per_day })
    };
    let quotas = [(limits.per_day, all), (limits.tenant_per_day, own)].into_iter().filter_map(quota);
    Ok(quotas.min_by_key(|quota| quota.left))
}

/// Lookups allowed now, and the wait for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub people: usize,
    pub wait: Duration,
}

/// Takes up to `people` from the account's and the tenant's quota.
pub async fn take(
    c: &mut PgConnection,
    tenant: TenantId,
    provider: ProviderName,
    scope: Scope,
    limits: &Limits,
    people: usize,
) -> Result<Grant, sqlx::Error> {
    let limit = |limit: Option<u32>| limit.map(|people| i32::try_from(people).unwrap_or(i32::MAX));
    let row = sqlx::query("select granted, wait_micros from provider_take($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(provider.as_str())
        .bind(scope.to_string())
        .bind(tenant)
        .bind(i32::try_from(people).unwrap_or(i32::MAX))
        .bind(limit(limits.per_minute))
        .bind(limit(limits.per_day))
        .bind(limit(limits.tenant_per_minute))
        .bind(limit(limits.tenant_per_day))
        .fetch_one(c)
        .await?;
    let (granted, wait): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
    let granted = usize::try_from(granted).unwrap_or(0).min(people);
    Ok(Grant { people: granted, wait: Duration::from_micros(u64::try_from(wait).unwrap_or(0)) })
}

/// Returns unused quota to today and to the newest slot.
pub async fn give_back(
    c: &mut PgConnection,
    tenant: TenantId,
    provider: ProviderName,
    scope: Scope,
    people: usize,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with newest as (
             update provider_grants set people = greatest(0, people - $4)
              where provider = $1 and account = $2 and tenant_id = $3
                and slot = (select max(slot) from provider_grants
                             where provider = $1 and account = $2 and tenant_id = $3))
         update provider_days set people = greatest(0, people - $4)
          where provider = $1 and account = $2 and tenant_id = $3 and day = (now() at time zone 'utc')::date",
    )
    .bind(provider.as_str())
    .bind(scope.to_string())
    .bind(tenant)
    .bind(i32::try_from(people).unwrap_or(i32::MAX))
    .execute(c)
    .await?;
    Ok(())
}

/// People that the tenant looked up today (UTC); 0 without limits.
pub async fn today(c: &mut PgConnection, tenant: TenantId, provider: ProviderName) -> Result<u64, sqlx::Error> {
    let people: i64 = sqlx::query_scalar(
        "select coalesce(sum(people), 0)::bigint from provider_days
          where provider = $1 and tenant_id = $2 and day = (now() at time zone 'utc')::date",
    )
    .bind(provider.as_str())
    .bind(tenant)
    .fetch_one(c)
    .await?;
    Ok(u64::try_from(people).unwrap_or(0))
}

/// The tenant's own limits at this provider.
pub async fn own(c: &mut PgConnection, tenant: TenantId, provider: ProviderName) -> Result<OwnLimits, sqlx::Error> {
    let row: Option<(Option<i32>, Option<i32>)> =
        sqlx::query_as("select per_minute, per_day from provider_limits where tenant_id = $1 and provider = $2")
            .bind(tenant)
            .bind(provider.as_str())
            .fetch_optional(c)
            .await?;
    let people = |limit: Option<i32>| limit.and_then(|people| u32::try_from(people).ok());
    Ok(row.map_or_else(OwnLimits::default, |(minute, day)| OwnLimits {
        per_minute: people(minute),
        per_day: people(day),
    }))
}

/// Replaces the tenant's own limits.
pub async fn set_own(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (provider, limits): (ProviderName, OwnLimits),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    for (field, limit) in [("perMinute", limits.per_minute), ("perDay", limits.per_day)] {
        if limit.is_some_and(|people| !(1..=MAX).contains(&people)) {
            return Err(AdminError::Invalid { field, reason: format!("1 to {MAX} people, or null for no limit") });
        }
    }
    let version = tenants::lock(c, tenant).await?;
    let people = |limit: Option<u32>| limit.map(|people| i32::try_from(people).unwrap_or(i32::MAX));
    sqlx::query(
        "insert into provider_limits (tenant_id, provider, per_minute, per_day) values ($1, $2, $3, $4)
         on conflict (tenant_id, provider) do update
         set per_minute = excluded.per_minute, per_day = excluded.per_day, updated_at = now()",
    )
    .bind(tenant)
    .bind(provider.as_str())
    .bind(people(limits.per_minute))
    .bind(people(limits.per_day))
    .execute(&mut *c)
    .await?;
    let limited =
        ProviderLimited { provider: provider.as_str().into(), per_minute: limits.per_minute, per_day: limits.per_day };
    let change = Change::after(tenant, version, vec![ConfigEvent::ProviderLimited(limited).into()]);
    record(log, c, tenant, change.with_receipt(receipt), by).await
}

/// The highest limit that can be set.
const MAX: u32 = 100_000_000;
