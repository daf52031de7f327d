//! Changes the status of a lead. The event of the tenant holds no data of the lead but its id.

use luci_config::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use luci_schema::{
    ConfigEvent, LeadId, Position, TenantId,
    event::LeadUpdated,
    log::{Log, NewReceipt},
};
use sqlx::PgConnection;

use crate::{lead::status::LeadStatus, store::leads};

/// The outcome of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusChange {
    Changed(Position),
    /// The lead has this status already; nothing is appended.
    Unchanged,
    /// The status cannot follow `from`; nothing is appended.
    Refused {
        from: LeadStatus,
    },
}

/// Sets the status of a lead. `to` is `None` when the caller named an unknown status.
pub async fn set_status(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (lead_id, to): (LeadId, Option<LeadStatus>),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<StatusChange, AdminError> {
    let from = leads::lock_status(c, tenant, lead_id).await?.ok_or(AdminError::NotFound("lead"))?;
    let statuses = || LeadStatus::ALL.map(LeadStatus::as_str).join(", ");
    let to = to.ok_or_else(|| AdminError::Invalid { field: "status", reason: format!("one of {}", statuses()) })?;
    if from == to {
        return Ok(StatusChange::Unchanged);
    }
    if !from.can_become(to) {
        return Ok(StatusChange::Refused { from });
    }
    let version = tenants::lock(c, tenant).await?;
    leads::advance_status(c, tenant, &[lead_id], to).await?;
    let updated = LeadUpdated { lead_id, from_status: from.as_str().into(), status: to.as_str().into() };
    let change = Change::after(tenant, version, vec![ConfigEvent::LeadUpdated(updated).into()]).with_receipt(receipt);
    Ok(StatusChange::Changed(record(log, c, tenant, change, by).await?))
}
