//! Tables `provider_minutes` and `provider_weather`: how providers behave, collected in memory and written each second.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use luci_schema::{Micros, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::{name::ProviderName, scope::Scope};

/// Between two writes.
const FLUSH: Duration = Duration::from_secs(1);
/// Minutes that a report covers.
pub const WINDOW_MINUTES: i64 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Calls {
    calls: i32,
    errors: i32,
    limited: i32,
}

/// What a call is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Answered,
    Limited,
    Failed,
}

/// Why an account cannot be used for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    Broken,
    Limited,
}

/// The latest ends of an account's outages; `None` is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Outages {
    broken: Option<Micros>,
    limited: Option<Micros>,
}

type Minute = (TenantId, ProviderName, i64);
type AccountKey = (ProviderName, Scope);

/// What is not written yet: bounded by the number of tenants and accounts, whatever happens to them.
#[derive(Debug, Default)]
struct Unwritten {
    minutes: HashMap<Minute, Calls>,
    outages: HashMap<AccountKey, Outages>,
    /// A writer task runs.
    writing: bool,
}

/// Collects what all calls of this process experience. Clones share it; at most one task writes.
#[derive(Debug, Clone)]
pub struct HealthRecorder {
    pool: PgPool,
    unwritten: Arc<Mutex<Unwritten>>,
    /// Wakes the writer: an outage does not wait for the counts.
    new_outage: Arc<Notify>,
}

impl HealthRecorder {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, unwritten: Arc::default(), new_outage: Arc::default() }
    }

    pub fn call(&self, tenant: TenantId, provider: ProviderName, counted: Counted, now: Micros) {
        let mut unwritten = self.lock();
        let calls = unwritten.minutes.entry((tenant, provider, now.seconds().div_euclid(60))).or_default();
        calls.calls += 1;
        match counted {
            Counted::Answered => {}
            Counted::Limited => calls.limited += 1,
            Counted::Failed => calls.errors += 1,
        }
        self.start_writer(&mut unwritten);
    }

    /// The account cannot be used until then; a time in the past ends the outage. Written in the background.
    pub fn outage(&self, provider: ProviderName, scope: Scope, outage: Outage, until: Micros) {
        let mut unwritten = self.lock();
        let outages = unwritten.outages.entry((provider, scope)).or_default();
        match outage {
            Outage::Broken => outages.broken = Some(until),
            Outage::Limited => outages.limited = Some(until),
        }
        self.new_outage.notify_one();
        self.start_writer(&mut unwritten);
    }

    fn lock(&self) -> MutexGuard<'_, Unwritten> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_writer(&self, unwritten: &mut Unwritten) {
        if !mem::replace(&mut unwritten.writing, true) {
            tokio::spawn(self.clone().write_until_empty());
        }
    }

    /// Outages are written at once, since people wait to see them; counts after a pause.
    async fn write_until_empty(self) {
        loop {
            self.write_outages().await;
            let flush = tokio::time::sleep(FLUSH);
            tokio::pin!(flush);
            loop {
                tokio::select! {
                    () = &mut flush => break,
                    () = self.new_outage.notified() => self.write_outages().await,
                }
            }
            self.write_minutes().await;
            let mut unwritten = self.lock();
            if unwritten.minutes.is_empty() && unwritten.outages.is_empty() {
                unwritten.writing = false;
                return;
            }
        }
    }

    async fn write_outages(&self) {
        let outages = mem::take(&mut self.lock().outages);
        for ((provider, scope), until) in outages {
            if let Err(error) = write_outages(&self.pool, provider, scope, until).await {
                tracing::warn!(%provider, account = %scope, %error, "provider outage not written");
            }
        }
    }

    async fn write_minutes(&self) {
        let minutes = mem::take(&mut self.lock().minutes);
        let rows = minutes.len();
        if rows == 0 {
            return;
        }
        if let Err(error) = write_minutes(&self.pool, minutes).await {
            tracing::warn!(rows, %error, "provider call counts not written");
        }
    }
}

async fn write_minutes(pool: &PgPool, minutes: HashMap<Minute, Calls>) -> Result<(), sqlx::Error> {
    let mut rows: Vec<(Minute, Calls)> = minutes.into_iter().collect();
    // Always in one order, so that two processes cannot deadlock.
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
    .execute(pool)
    .await?;
    Ok(())
}

async fn write_outages(
    pool: &PgPool,
    provider: ProviderName,
    scope: Scope,
    Outages { broken, limited }: Outages,
) -> Result<(), sqlx::Error> {
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
pub enum HealthState {
    Ok,
    Limited,
    Broken,
}

/// How a provider behaves towards one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderHealth {
    pub state: HealthState,
    /// Of `limited` and `broken`.
    pub until: Option<String>,
    /// The tenant's own calls in the last `minutes`: all, those without an answer, those refused as too many.
    pub minutes: i64,
    pub calls: i64,
    pub errors: i64,
    pub limited: i64,
}

/// How the provider behaves now towards `tenant`, which uses the credential of `scope`.
pub async fn read(
    c: &mut PgConnection,
    tenant: TenantId,
    provider: ProviderName,
    scope: Scope,
) -> Result<ProviderHealth, sqlx::Error> {
    let (calls, errors, limited, broken, limited_until): (
        i64,
        i64,
        i64,
        Option<OffsetDateTime>,
        Option<OffsetDateTime>,
    ) = sqlx::query_as(
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
    let (state, until) = match (broken, limited_until) {
        (Some(until), _) => (HealthState::Broken, Some(until)),
        (None, Some(until)) => (HealthState::Limited, Some(until)),
        (None, None) => (HealthState::Ok, None),
    };
    let until = until.map(|until| Micros::from(until).rfc3339());
    Ok(ProviderHealth { state, until, minutes: WINDOW_MINUTES, calls, errors, limited })
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;

    use super::*;

    #[tokio::test]
    async fn ten_thousand_outages_are_one_task_and_the_last_one_counts() {
        let pool = PgPoolOptions::new().connect_lazy("postgres://nobody@127.0.0.1:1/none").expect("an address");
        let health = HealthRecorder::new(pool);
        let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        for n in 0..10_000 {
            health.outage(ProviderName::APOLLO, Scope::Installation, Outage::Broken, Micros(n));
        }
        health.outage(ProviderName::APOLLO, Scope::Installation, Outage::Limited, Micros(7));
        assert!(tokio::runtime::Handle::current().metrics().num_alive_tasks() <= before + 1);
        let outages = health.lock().outages.clone();
        let last = Outages { broken: Some(Micros(9_999)), limited: Some(Micros(7)) };
        assert_eq!(outages, HashMap::from([((ProviderName::APOLLO, Scope::Installation), last)]));
    }
}
