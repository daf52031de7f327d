//! Tables `provider_minutes` and `provider_weather`: how providers behave, counted in memory, written each second or two.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use luci_schema::{Micros, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use super::{ProviderName, account::Scope};

/// Between what happens and its row.
const FLUSH: Duration = Duration::from_secs(1);
/// Minutes that a look looks back.
pub const WINDOW_MINUTES: i64 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Calls {
    calls: i32,
    errors: i32,
    limited: i32,
}

/// How a call ended, as far as the weather goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Answered,
    Limited,
    Failed,
}

/// What an account is out of use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    Broken,
    Limited,
}

type Key = (TenantId, ProviderName, i64);

/// Counts calls for everybody in this process.
#[derive(Debug, Clone)]
pub struct Station {
    pool: PgPool,
    counted: Arc<Mutex<HashMap<Key, Calls>>>,
    writing: Arc<AtomicBool>,
}

impl Station {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, counted: Arc::default(), writing: Arc::default() }
    }

    pub fn call(&self, tenant: TenantId, provider: ProviderName, ended: Ended, now: Micros) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = counted.entry((tenant, provider, now.seconds().div_euclid(60))).or_default();
        calls.calls += 1;
        match ended {
            Ended::Answered => {}
            Ended::Limited => calls.limited += 1,
            Ended::Failed => calls.errors += 1,
        }
        drop(counted);
        if !self.writing.swap(true, Ordering::AcqRel) {
            let station = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(FLUSH).await;
                station.writing.store(false, Ordering::Release);
                if let Err(error) = station.flush().await {
                    tracing::debug!(%error, "calls of providers were not counted");
                }
            });
        }
    }

    /// An account is out of use until then; in the past: it is well again. Written beside the work, never waited for.
    pub fn cloud(&self, provider: ProviderName, scope: Scope, cloud: Cloud, until: Micros) {
        let pool = self.pool.clone();
        tokio::spawn(async move {
            if let Err(error) = overcast(&pool, provider, scope, cloud, until).await {
                tracing::debug!(%error, "a provider's weather was not written");
            }
        });
    }

    async fn flush(&self) -> Result<(), sqlx::Error> {
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        if counted.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<(Key, Calls)> = counted.into_iter().collect();
        // Always in one order, so that two processes wait for each other instead of for ever.
        rows.sort_unstable_by_key(|(key, _)| *key);
        let column = |of: fn(&Calls) -> i32| rows.iter().map(|(_, calls)| of(calls)).collect::<Vec<i32>>();
        sqlx::query(
            "with gone as (delete from provider_minutes where minute < now() - interval '1 hour')
             insert into provider_minutes (tenant_id, provider, minute, calls, errors, limited)
             select tenant_id, provider, to_timestamp(minute * 60), calls, errors, limited
               from unnest($1::text[], $2::text[], $3::bigint[], $4::int[], $5::int[], $6::int[])
                    as counted (tenant_id, provider, minute, calls, errors, limited)
             on conflict (tenant_id, provider, minute) do update
             set calls = provider_minutes.calls + excluded.calls, errors = provider_minutes.errors + excluded.errors,
                 limited = provider_minutes.limited + excluded.limited",
        )
        .bind(rows.iter().map(|((tenant, ..), _)| *tenant).collect::<Vec<_>>())
        .bind(rows.iter().map(|((_, provider, _), _)| provider.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|((.., minute), _)| *minute).collect::<Vec<_>>())
        .bind(column(|calls| calls.calls))
        .bind(column(|calls| calls.errors))
        .bind(column(|calls| calls.limited))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

async fn overcast(
    pool: &PgPool,
    provider: ProviderName,
    scope: Scope,
    cloud: Cloud,
    until: Micros,
) -> Result<(), sqlx::Error> {
    let (broken, limited) = match cloud {
        Cloud::Broken => (Some(until), None),
        Cloud::Limited => (None, Some(until)),
    };
    sqlx::query(
        "insert into provider_weather (provider, account, broken_until, limited_until)
         values ($1, $2, coalesce($3, '-infinity'), coalesce($4, '-infinity'))
         on conflict (provider, account) do update
         set broken_until = coalesce($3, provider_weather.broken_until),
             limited_until = coalesce($4, provider_weather.limited_until), updated_at = now()",
    )
    .bind(provider.as_str())
    .bind(scope.to_string())
    .bind(broken.map(Micros::date_time))
    .bind(limited.map(Micros::date_time))
    .execute(pool)
    .await?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sky {
    Ok,
    Limited,
    Broken,
}

/// How a provider behaves towards one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Weather {
    pub state: Sky,
    /// Of `limited` and `broken`.
    pub until: Option<String>,
    /// The tenant's own calls in the last minutes; those without an answer; those refused as too many.
    pub minutes: i64,
    pub calls: i64,
    pub errors: i64,
    pub limited: i64,
}

/// The weather of a provider now, seen by `tenant`, which asks it with the credential of `scope`.
pub async fn look(
    c: &mut PgConnection,
    tenant: TenantId,
    provider: ProviderName,
    scope: Scope,
) -> Result<Weather, sqlx::Error> {
    let (calls, errors, limited, broken, held): (i64, i64, i64, Option<OffsetDateTime>, Option<OffsetDateTime>) =
        sqlx::query_as(
            "select coalesce(sum(calls), 0), coalesce(sum(errors), 0), coalesce(sum(limited), 0),
                    (select broken_until from provider_weather
                      where provider = $2 and account = $3 and broken_until > now()),
                    (select limited_until from provider_weather
                      where provider = $2 and account = $3 and limited_until > now())
               from provider_minutes
              where tenant_id = $1 and provider = $2 and minute > now() - make_interval(mins => $4::int)",
        )
        .bind(tenant)
        .bind(provider.as_str())
        .bind(scope.to_string())
        .bind(i32::try_from(WINDOW_MINUTES).unwrap_or(5))
        .fetch_one(c)
        .await?;
    let (state, until) = match (broken, held) {
        (Some(until), _) => (Sky::Broken, Some(until)),
        (None, Some(until)) => (Sky::Limited, Some(until)),
        (None, None) => (Sky::Ok, None),
    };
    let until = until.map(|until| Micros::from(until).rfc3339());
    Ok(Weather { state, until, minutes: WINDOW_MINUTES, calls, errors, limited })
}
