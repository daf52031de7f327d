//! Retention: the objects of a domain are removed some days after they were made, when the tenant says so. Rows and checksums
//! stay, and `object:expired` names what was removed. It is off until the owner sets days.

mod candidates;
pub mod table;
mod work;

use std::collections::BTreeMap;

use luci_config::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use luci_runs::stored_objects::StoredObjectsError;
use luci_schema::{
    ConfigEvent, Micros, Position, TenantId,
    event::RetentionUpdated,
    log::{Log, LogError, NewReceipt},
};
use luci_storage::{Storage, StorageError};
use serde::Serialize;
use sqlx::PgConnection;

pub use self::work::{RetentionOptions, apply, run};

/// The domains that can have days, with the days that are suggested.
pub const DOMAINS: [(&str, u32); 6] =
    [("artifacts", 30), ("imports", 365), ("recordings", 365), ("reports", 730), ("sectors", 365), ("webhooks", 90)];
const MAX_DAYS: u32 = 36_500;

#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Objects(#[from] StoredObjectsError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What retention would remove of a domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainReport {
    pub objects: u64,
    pub size_bytes: u64,
    /// Old enough, and kept because a run may still read them.
    pub needed: u64,
}

/// # Errors
/// `Fields` for an unknown domain, or days outside 1 to 36,500.
pub fn check(days: &BTreeMap<String, u32>) -> Result<(), AdminError> {
    let known: Vec<&str> = DOMAINS.iter().map(|(name, _)| *name).collect();
    let wrong = |(domain, days): (&String, &u32)| {
        let field = format!("days.{domain}");
        if !known.contains(&domain.as_str()) {
            return Some((field, format!("a domain: {}", known.join(", "))));
        }
        (!(1..=MAX_DAYS).contains(days)).then(|| (field, format!("1 to {MAX_DAYS} days")))
    };
    let errors: Vec<(String, String)> = days.iter().filter_map(wrong).collect();
    if errors.is_empty() { Ok(()) } else { Err(AdminError::Fields(errors)) }
}

/// Replaces the tenant's rules inside the caller's transaction.
///
/// # Errors
/// As `check`.
pub async fn set(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    days: &BTreeMap<String, u32>,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    check(days)?;
    table::replace(c, tenant, days).await?;
    let event = ConfigEvent::RetentionUpdated(RetentionUpdated { days: days.clone() }).into();
    let version = tenants::lock(c, tenant).await?;
    record(log, c, tenant, Change::after(tenant, version, vec![event]).with_receipt(receipt), by).await
}

/// What retention would remove at a time, by domain; nothing is changed.
///
/// # Errors
/// When store, log or database cannot be read.
pub async fn report(
    log: &Log,
    storage: &Storage,
    tenant: TenantId,
    days: &BTreeMap<String, u32>,
    now: Micros,
) -> Result<BTreeMap<String, DomainReport>, RetentionError> {
    let mut reports = BTreeMap::new();
    for (domain, days) in days {
        let found = candidates::of(log, storage, tenant, (domain, *days), now).await?;
        let (needed, free): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| one.needed);
        let report = DomainReport {
            objects: free.len() as u64,
            size_bytes: free.iter().map(|one| one.object.size_bytes).sum(),
            needed: needed.len() as u64,
        };
        reports.insert(domain.clone(), report);
    }
    Ok(reports)
}
