//! Table `early_reports`: reports of sends whose provider id is not stored yet.
//!
//! A carrier may report before its answer to the send is stored. Report and answer take the same lock, so that one of the two
//! always sees the other.

use luci_schema::TenantId;
use sqlx::PgConnection;

use crate::rules::channel::Channel;

/// A report that nobody has asked for.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct EarlyReport {
    /// As `attempt_logs.status` or `dialer_queue.status` names it.
    pub status: String,
    pub provider_status: String,
    pub error: Option<String>,
}

/// Locks a provider's id until the transaction ends.
pub async fn lock(c: &mut PgConnection, tenant: TenantId, provider_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('report:' || $1 || $2, 0))")
        .bind(tenant)
        .bind(provider_id)
        .execute(c)
        .await
        .map(drop)
}

/// Keeps a report; deletes the tenant's that are older than a week.
pub async fn keep(
    c: &mut PgConnection,
    tenant: TenantId,
    (channel, provider_id): (Channel, &str),
    report: &EarlyReport,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with old as (delete from early_reports where tenant_id = $1 and received_at < now() - interval '7 days')
         insert into early_reports (tenant_id, channel, provider_id, provider_status, status, error)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(tenant)
    .bind(channel.as_str())
    .bind(provider_id)
    .bind(&report.provider_status)
    .bind(&report.status)
    .bind(&report.error)
    .execute(c)
    .await
    .map(drop)
}

/// Takes the reports of a send, in the order of their arrival.
pub async fn take(
    c: &mut PgConnection,
    tenant: TenantId,
    channel: Channel,
    provider_id: &str,
) -> Result<Vec<EarlyReport>, sqlx::Error> {
    sqlx::query_as(
        "with taken as (delete from early_reports where tenant_id = $1 and channel = $2 and provider_id = $3 returning *)
         select status, provider_status, error from taken order by received_at",
    )
    .bind(tenant)
    .bind(channel.as_str())
    .bind(provider_id)
    .fetch_all(c)
    .await
}
