//! A person moves a lead to another status: an event of the tenant, which names no more of the lead than its id.

use luci_schema::{
    ConfigEvent, LeadId, Position, TenantId,
    event::LeadUpdated,
    log::{Log, NewReceipt},
};
use sqlx::PgConnection;

use super::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use crate::{book::leads::page, lead::status::Status};

/// What became of the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    Now(Position),
    /// It had this status already; nothing is appended.
    Before,
    Not {
        from: Status,
    },
}

pub async fn set_status(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (lead_id, to): (LeadId, Option<Status>),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Moved, AdminError> {
    let from = page::hold_status(c, tenant, lead_id).await?.ok_or(AdminError::NotFound("lead"))?;
    let words = || Status::ALL.map(Status::as_str).join(", ");
    let to = to.ok_or_else(|| AdminError::Invalid { field: "status", reason: format!("one of {}", words()) })?;
    if from == to {
        return Ok(Moved::Before);
    }
    if !from.can_become(to) {
        return Ok(Moved::Not { from });
    }
    let version = tenants::hold(c, tenant, log).await?;
    page::advance(c, tenant, &[lead_id], to).await?;
    let updated = LeadUpdated { lead_id, from_status: from.as_str().into(), status: to.as_str().into() };
    let change = Change::after(tenant, version, vec![ConfigEvent::LeadUpdated(updated).into()]).remembered(receipt);
    Ok(Moved::Now(record(log, c, tenant, change, by).await?))
}
