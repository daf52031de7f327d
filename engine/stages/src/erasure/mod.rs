//! Erases a person of a tenant: every row and object is left without the person's data, and a keyed hash keeps the person from
//! ever being contacted again. What the log recorded stays valid: it never held the data, only digests of objects that are
//! replaced, and `lead:erased` names the replacements.
//!
//! A request suppresses the person at once. The clock role then waits until the tenant has no running or paused run (no new one
//! starts meanwhile), and removes the data in passes, until a whole pass finds nothing. Each pass can be killed and repeated.

mod hashed;
pub mod journal;
mod objects;
mod pending;
pub mod person;
mod recorded;
mod redact;
pub mod table;
mod work;

use std::collections::BTreeMap;

use luci_config::{
    AdminError, By,
    change::{Change, record},
    tenants,
    vault::{Vault, VaultError},
};
use luci_leads::{
    read::erased_row::NotInPlace,
    store::{
        leads,
        suppressions::{self, Kind, Reason},
    },
};
use luci_messaging::suppression_journal::{self, Decided};
use luci_schema::{
    ConfigEvent, ErasureId, LeadId, Position, TenantId,
    event::ErasureRequested,
    log::{Log, LogError, NewReceipt},
};
use luci_storage::{Storage, StorageError};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};

use self::person::{Named, Person};

pub use self::work::{ErasureOptions, run};

#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("{object_path}: {error}")]
    File { object_path: String, error: NotInPlace },
    #[error("the entry {object_path} of the journal of erasures cannot be read: {error}")]
    Journal { object_path: String, error: serde_json::Error },
}

/// What an erasure would remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasurePreview {
    pub lead_ids: Vec<LeadId>,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Objects that would be rewritten, or removed where they are about nobody else.
    pub objects: Vec<String>,
}

/// The person that a caller names.
///
/// # Errors
/// `NotFound` for a lead that the tenant does not have and never erased.
async fn resolve(c: &mut PgConnection, tenant: TenantId, named: &Named) -> Result<Person, ErasureError> {
    let mut person = person::find(c, tenant, named).await?;
    if let Named::Lead(id) = named
        && leads::person::by_ids(c, tenant, &[*id]).await?.is_empty()
        && !table::has_lead(c, tenant, *id).await?
    {
        return Err(AdminError::NotFound("lead").into());
    }
    let rows = table::rows(c, tenant, &person).await?;
    let calls = rows.get("dialer_queue").into_iter().flatten().filter_map(|row| row["id"].as_str());
    person.calls.extend(calls.map(str::to_owned));
    Ok(person)
}

/// What an erasure would remove now. Nothing is changed: the rows are removed in a transaction that is not committed.
///
/// # Errors
/// `NotFound` for a lead that the tenant does not have.
pub async fn preview(
    pool: &PgPool,
    storage: &Storage,
    tenant: TenantId,
    named: &Named,
) -> Result<ErasurePreview, ErasureError> {
    let mut tx = pool.begin().await?;
    let person = resolve(&mut tx, tenant, named).await?;
    let rows = table::remove_rows(&mut tx, tenant, &person).await?;
    tx.rollback().await?;
    let mut found = Vec::new();
    for object in objects::all(storage, tenant).await? {
        let mut c = pool.acquire().await?;
        if objects::rewritten(&mut c, storage, &person, &object.path).await?.is_some() {
            found.push(object.path);
        }
    }
    found.sort();
    Ok(ErasurePreview { lead_ids: person.lead_ids(), rows, objects: found })
}

/// Accepts an erasure inside the caller's transaction: from its commit on, the person is not contacted any more.
///
/// # Errors
/// `NotFound` for a lead that the tenant does not have. A person who was erased before, or of whom nothing is stored, is none.
pub async fn request(
    c: &mut PgConnection,
    tenant: TenantId,
    (log, vault, storage): (&Log, &Vault, &Storage),
    named: &Named,
    by: &By,
    receipt: impl FnOnce(ErasureId) -> Option<NewReceipt>,
) -> Result<(ErasureId, Position), ErasureError> {
    let id = ErasureId::generate();
    let person = resolve(c, tenant, named).await?;
    suppressions::add_erased(c, tenant, vault, (&person.all_phones(), &person.all_emails())).await?;
    leads::mark_dnc(c, tenant, &person.lead_ids()).await?;
    table::insert(c, tenant, vault, (id, named, &person), &by.actor.to_string()).await?;
    let event = ConfigEvent::ErasureRequested(ErasureRequested { erasure_id: id, after_restore: false }).into();
    for (kind, contacts) in [(Kind::Phone, person.all_phones()), (Kind::Email, person.all_emails())] {
        let erased = Decided::Suppressed(Reason::Erased, None);
        suppression_journal::write((storage, vault), tenant, (kind, &contacts), erased).await;
    }
    let version = tenants::lock(c, tenant).await?;
    let change = Change::after(tenant, version, vec![event]).with_receipt(receipt(id));
    Ok((id, record(log, c, tenant, change, by).await?))
}

/// All that is stored of a person: rows by table, and what objects say. For the person, who may ask for a copy.
///
/// # Errors
/// `NotFound` for a lead that the tenant does not have.
pub async fn export(pool: &PgPool, storage: &Storage, tenant: TenantId, named: &Named) -> Result<Value, ErasureError> {
    let mut c = pool.acquire().await?;
    let person = resolve(&mut c, tenant, named).await?;
    let rows = table::rows(&mut c, tenant, &person).await?;
    drop(c);
    let mut found = Vec::new();
    for object in objects::all(storage, tenant).await? {
        let mut c = pool.acquire().await?;
        let records = objects::records(&mut c, storage, &person, &object.path).await?;
        if !records.is_empty() {
            found.push(json!({"objectPath": object.path, "records": records}));
        }
    }
    Ok(json!({"leadIds": person.lead_ids(), "rows": rows, "objects": found}))
}
