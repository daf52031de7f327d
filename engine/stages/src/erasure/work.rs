//! Carries out erasures, one after the other, in the process that holds the lease.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use luci_config::{
    By,
    change::{Change, record},
    tenants,
    vault::Vault,
};
use luci_leads::store::{imports, leads, suppressions};
use luci_messaging::store::webhook_events;
use luci_runs::{
    clock,
    lease_guard::{LeaseGuard, LeaseOptions},
};
use luci_schema::{
    ErasureId, LeadId, RunId, TenantId, event::ErasedObject, log::Log, object_key::ObjectLocation, object_version,
};
use luci_storage::Storage;
use sqlx::PgConnection;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    ErasureError,
    hashed::{HashedPerson, Keys},
    objects::{self, Rewritten},
    pending::{PendingErasure, Who},
    person,
    recorded::erased_event,
    table,
};

#[derive(Debug, Clone)]
pub struct ErasureOptions {
    pub lease: LeaseOptions,
    /// Between two looks for erasures that are pending or wait.
    pub poll: Duration,
}

impl ErasureOptions {
    pub fn owned_by(owner: impl Into<String>) -> Self {
        Self { lease: LeaseOptions::owned_by(owner), poll: Duration::from_secs(1) }
    }
}

/// Objects of one transaction and event, and bytes that are held for it.
pub(super) const BATCH_OBJECTS: usize = 100;
const BATCH_BYTES: usize = 64 << 20;

/// Erases until `stop`. Errors are logged, shown by the erasure, and retried.
pub async fn run(
    options: ErasureOptions,
    (log, storage): (Log, Storage),
    vault: std::sync::Arc<Vault>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let Some(lease) = LeaseGuard::acquire(log.pool(), "erasures", &options.lease, &stop).await else { break };
        let eraser = Eraser { log: &log, storage: &storage, vault: &vault, journaled: Mutex::default() };
        let work = async {
            loop {
                if let Err(error) = eraser.all().await {
                    tracing::warn!(%error, "erasures failed, retrying");
                }
                tokio::time::sleep(options.poll).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
            () = lease.lost().cancelled() => {}
        }
        lease.release(None).await;
    }
}

pub(super) struct Eraser<'a> {
    pub log: &'a Log,
    pub storage: &'a Storage,
    pub vault: &'a Vault,
    /// What this process wrote to the journal.
    pub journaled: Mutex<HashMap<ErasureId, HashedPerson>>,
}

impl Eraser<'_> {
    async fn all(&self) -> Result<(), ErasureError> {
        let mut c = self.log.pool().acquire().await?;
        let pending = table::pending(&mut c, self.vault).await?;
        drop(c);
        for mut erasure in pending {
            let (tenant, id) = (erasure.tenant, erasure.id);
            if let Err(error) = self.erase(&mut erasure).await {
                tracing::error!(tenant.id = %tenant, erasure.id = %id, %error, "erasure failed, retrying");
                let mut c = self.log.pool().acquire().await?;
                // A driver's message may quote values.
                let shown = match &error {
                    ErasureError::File { .. } | ErasureError::Journal { .. } | ErasureError::Storage(_) => {
                        error.to_string()
                    }
                    _ => "the database failed".to_owned(),
                };
                table::waits(&mut c, (tenant, id), &[], Some(&shown)).await?;
            }
        }
        Ok(())
    }

    /// Passes over everything, until one finds nothing while no run of the tenant is active.
    async fn erase(&self, erasure: &mut PendingErasure) -> Result<(), ErasureError> {
        let (tenant, id) = (erasure.tenant, erasure.id);
        self.journal(erasure, &[]).await?;
        self.record_repeated(erasure).await?;
        loop {
            if self.busy(erasure).await? {
                return Ok(());
            }
            let found = self.pass(erasure).await?;
            // A run that was resumed meanwhile may have read what the pass removed later.
            if found == 0 && !self.busy(erasure).await? {
                let mut c = self.log.pool().acquire().await?;
                table::complete(&mut c, tenant, id).await?;
                tracing::info!(tenant.id = %tenant, erasure.id = %id, "person erased");
                return Ok(());
            }
        }
    }

    pub(super) fn keys(&self, tenant: TenantId) -> Keys<'_> {
        Keys { vault: self.vault, tenant }
    }

    /// Whether the tenant is not at rest; then the erasure says what it waits for.
    async fn busy(&self, erasure: &PendingErasure) -> Result<bool, ErasureError> {
        let runs: Option<Vec<RunId>> = clock::active_runs(self.log, erasure.tenant).await?;
        let mut c = self.log.pool().acquire().await?;
        let sending = table::sends_in_flight(&mut c, erasure.tenant, &erasure.person).await?;
        let busy = sending || runs.as_ref().is_none_or(|runs| !runs.is_empty());
        let key = (erasure.tenant, erasure.id);
        table::waits(&mut c, key, &runs.unwrap_or_default(), None).await?;
        Ok(busy)
    }

    /// One pass; returns how many objects and rows it removed data from.
    async fn pass(&self, erasure: &mut PendingErasure) -> Result<u64, ErasureError> {
        let tenant = erasure.tenant;
        let mut c = self.log.pool().acquire().await?;
        // What came in since the request belongs to the person too.
        let found = match &erasure.who {
            Who::Named(named) => person::find(&mut c, tenant, named).await?,
            Who::Hashed(repeated) => repeated.person.find(&mut c, self.storage, self.keys(tenant)).await?,
        };
        erasure.person.merge(found);
        table::keep(&mut c, self.vault, erasure).await?;
        self.journal(erasure, &[]).await?;
        let mut batch: Vec<Rewritten> = Vec::new();
        let mut changed = 0;
        for object in objects::all(self.storage, tenant).await? {
            let found = objects::rewritten(&mut c, self.storage, &erasure.person, &object.path).await?;
            batch.extend(found);
            let bytes: usize = batch.iter().filter_map(|one| one.bytes.as_ref()).map(bytes::Bytes::len).sum();
            if batch.len() >= BATCH_OBJECTS || bytes >= BATCH_BYTES {
                changed += self.replace(erasure, std::mem::take(&mut batch)).await?;
            }
        }
        drop(c);
        changed += self.replace(erasure, batch).await?;
        Ok(changed + self.remove_rows(erasure).await?)
    }

    /// New objects first, then the event that names them, then the old ones go.
    async fn replace(&self, erasure: &PendingErasure, batch: Vec<Rewritten>) -> Result<u64, ErasureError> {
        if batch.is_empty() {
            return Ok(0);
        }
        for one in batch.iter().filter(|one| one.is_new_object()) {
            if let (Some(bytes), Some(now)) = (&one.bytes, &one.object.now) {
                // Written even if it is there: the sweeper keeps what is new until an event names it.
                let key = objects::version_key(&one.key, &now.digest)?;
                self.storage.put(&key, bytes.clone(), content_type(&one.key.place)).await?;
            }
        }
        let objects: Vec<ErasedObject> = batch.iter().map(|one| one.object.clone()).collect();
        self.journal(erasure, &objects).await?;
        let mut tx = self.log.pool().begin().await?;
        for one in &batch {
            object_version::erased(&mut tx, erasure.tenant, &one.object).await?;
            self.describe(&mut tx, erasure.tenant, one).await?;
        }
        table::count(&mut tx, (erasure.tenant, erasure.id), batch.len(), 0).await?;
        self.append(&mut tx, erasure, Vec::new(), objects, BTreeMap::new()).await?;
        tx.commit().await?;
        self.log.wake();
        for one in &batch {
            match &one.bytes {
                Some(bytes) if !one.is_new_object() => {
                    self.storage.put(&one.key, bytes.clone(), content_type(&one.key.place)).await?;
                }
                _ => self.storage.delete(&one.object.object_path).await?,
            }
        }
        metrics::counter!("luci_objects_erased_total").increment(batch.len() as u64);
        Ok(batch.len() as u64)
    }

    /// Rows that repeat what their object said.
    async fn describe(&self, c: &mut PgConnection, tenant: TenantId, one: &Rewritten) -> Result<(), ErasureError> {
        match &one.key.place {
            ObjectLocation::Import { import_id, .. }
            | ObjectLocation::Staging { import_id }
            | ObjectLocation::StagedPart { import_id, .. } => {
                imports::clear_preview(c, tenant, *import_id).await?;
            }
            ObjectLocation::Webhook { webhook_id, .. } => {
                if let Some(body) = &one.body {
                    webhook_events::body_erased(c, tenant, *webhook_id, body).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn remove_rows(&self, erasure: &PendingErasure) -> Result<u64, ErasureError> {
        let (tenant, person) = (erasure.tenant, &erasure.person);
        let mut tx = self.log.pool().begin().await?;
        suppressions::add_erased(&mut tx, tenant, self.vault, (&person.all_phones(), &person.all_emails())).await?;
        let stored = leads::person::by_ids(&mut tx, tenant, &person.lead_ids()).await?;
        let rows = table::remove_rows(&mut tx, tenant, person).await?;
        let removed = rows.values().sum();
        if removed > 0 {
            let leads = stored.iter().map(|stored| stored.lead.lead_id).collect();
            table::count(&mut tx, (tenant, erasure.id), 0, removed).await?;
            self.append(&mut tx, erasure, leads, Vec::new(), rows).await?;
        }
        tx.commit().await?;
        self.log.wake();
        Ok(removed)
    }

    async fn append(
        &self,
        c: &mut PgConnection,
        erasure: &PendingErasure,
        lead_ids: Vec<LeadId>,
        objects: Vec<ErasedObject>,
        rows: BTreeMap<String, u64>,
    ) -> Result<(), ErasureError> {
        let event = erased_event(erasure, lead_ids, objects, rows);
        let version = tenants::lock(c, erasure.tenant).await?;
        let change = Change::after(erasure.tenant, version, vec![event]);
        record(self.log, c, erasure.tenant, change, &By::system()).await?;
        Ok(())
    }
}

fn content_type(place: &ObjectLocation) -> &'static str {
    match place {
        ObjectLocation::Artifact { .. } => "application/x-ndjson",
        ObjectLocation::Import { .. } => "text/csv",
        _ => "application/json",
    }
}
