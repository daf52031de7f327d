//! Drafts of a run or campaign, decided together.

use luci_schema::{
    CommandId, MessageId, Position, RunId, TenantId,
    log::{Log, NewReceipt},
};
use sqlx::PgConnection;

use super::review::{self, Decided, Decision};
use crate::admin::{AdminError, By, change::remember};

/// Which drafts. Those of all runs and campaigns where neither is named.
#[derive(Debug, Clone, Default)]
pub struct Drafts {
    pub run: Option<RunId>,
    pub campaign: Option<String>,
}

/// How many there are.
pub async fn count(c: &mut PgConnection, tenant: TenantId, drafts: &Drafts) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from sms_queue where tenant_id = $1 and status = 'draft'
            and ($2::text is null or run_id = $2) and ($3::text is null or campaign_id = $3)",
    )
    .bind(tenant)
    .bind(drafts.run)
    .bind(&drafts.campaign)
    .fetch_one(c)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The oldest of them, held until the transaction ends; those that somebody else decides now are left to them.
pub async fn hold(
    c: &mut PgConnection,
    tenant: TenantId,
    drafts: &Drafts,
    most: u32,
) -> Result<Vec<MessageId>, sqlx::Error> {
    sqlx::query_scalar(
        "select id from sms_queue where tenant_id = $1 and status = 'draft'
            and ($2::text is null or run_id = $2) and ($3::text is null or campaign_id = $3)
          order by id limit $4 for update skip locked",
    )
    .bind(tenant)
    .bind(drafts.run)
    .bind(&drafts.campaign)
    .bind(i64::from(most))
    .fetch_all(c)
    .await
}

/// Decides each held draft as if it were decided alone, all or none. The receipt stands with the last.
pub async fn decide(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (held, decision): (&[MessageId], &Decision),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let Some((last, others)) = held.split_last() else { return remember(c, tenant, log, by, receipt).await };
    for id in others {
        let command = CommandId::derive(&["together", &by.command.to_string(), &id.to_string()]);
        review::decide(c, tenant, log, (*id, decision), &By { command, ..by.clone() }, None).await?;
    }
    match review::decide(c, tenant, log, (*last, decision), by, receipt).await? {
        Decided::Now(position) => Ok(position),
        // Held drafts are decided by nobody else.
        Decided::Before | Decided::TooLate(_) => Ok(log.head()),
    }
}
