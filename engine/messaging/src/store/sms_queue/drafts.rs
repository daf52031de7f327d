//! Decisions on many drafts of a run or campaign at once.

use luci_config::{AdminError, By, tenants::store_receipt};
use luci_schema::{
    CommandId, MessageId, Position, RunId, TenantId,
    log::{Log, NewReceipt},
};
use sqlx::PgConnection;

use crate::store::sms_queue::review::{self, Decided, Decision};

/// Without run and campaign: all drafts.
#[derive(Debug, Clone, Default)]
pub struct DraftFilter {
    pub run: Option<RunId>,
    pub campaign: Option<String>,
}

/// How many drafts match.
pub async fn count(c: &mut PgConnection, tenant: TenantId, filter: &DraftFilter) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from sms_queue where tenant_id = $1 and status = 'draft'
            and ($2::text is null or run_id = $2) and ($3::text is null or campaign_id = $3)",
    )
    .bind(tenant)
    .bind(filter.run)
    .bind(&filter.campaign)
    .fetch_one(c)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Locks the oldest matching drafts, at most `limit`, until the transaction ends; skips those that others have locked.
pub async fn lock(
    c: &mut PgConnection,
    tenant: TenantId,
    filter: &DraftFilter,
    limit: u32,
) -> Result<Vec<MessageId>, sqlx::Error> {
    sqlx::query_scalar(
        "select id from sms_queue where tenant_id = $1 and status = 'draft'
            and ($2::text is null or run_id = $2) and ($3::text is null or campaign_id = $3)
          order by id limit $4 for update skip locked",
    )
    .bind(tenant)
    .bind(filter.run)
    .bind(&filter.campaign)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await
}

/// Decides each locked draft with events of its own, all in the caller's transaction. The receipt is recorded with the last.
pub async fn decide(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (locked, decision): (&[MessageId], &Decision),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let Some((last, others)) = locked.split_last() else { return store_receipt(c, tenant, log, by, receipt).await };
    for id in others {
        let command = CommandId::derive(&["together", &by.command.to_string(), &id.to_string()]);
        review::decide(c, tenant, log, (*id, decision), &By { command, ..by.clone() }, None).await?;
    }
    match review::decide(c, tenant, log, (*last, decision), by, receipt).await? {
        Decided::Applied(position) => Ok(position),
        // Unreachable: no other transaction can decide a locked draft.
        Decided::Unchanged | Decided::TooLate(_) => Ok(log.head()),
    }
}
