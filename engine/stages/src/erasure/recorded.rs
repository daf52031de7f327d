//! What the eraser writes down beside its work: entries of the journal before it removes anything, and events.

use std::collections::BTreeMap;

use luci_config::{
    By,
    change::{Change, record},
    tenants,
};
use luci_schema::{
    ConfigEvent, Event, LeadId,
    event::{ErasedObject, ErasureRequested, LeadErased},
};

use super::{
    ErasureError,
    hashed::HashedPerson,
    journal::{self, ErasureEntry},
    pending::{PendingErasure, Who},
    table,
    work::{BATCH_OBJECTS, Eraser},
};

impl Eraser<'_> {
    /// Writes to the journal what it does not have yet of the erasure.
    pub(super) async fn journal(&self, erasure: &PendingErasure, objects: &[ErasedObject]) -> Result<(), ErasureError> {
        let mut person = HashedPerson::of(self.keys(erasure.tenant), &erasure.person);
        if let Who::Hashed(repeated) = &erasure.who {
            person.merge(repeated.person.clone());
        }
        let mut journaled = self.journaled.lock().await;
        if objects.is_empty() && journaled.get(&erasure.id) == Some(&person) {
            return Ok(());
        }
        let entry = ErasureEntry {
            tenant_id: erasure.tenant,
            erasure_id: erasure.id,
            named_by: erasure.named_by.clone(),
            requested_by: erasure.requested_by.clone(),
            requested_at_micros: erasure.requested_at,
            person: person.clone(),
            objects: objects.to_vec(),
        };
        journal::write(self.storage, &entry).await?;
        journaled.insert(erasure.id, person);
        Ok(())
    }

    /// The log has nothing of an erasure from before a restore: its request is recorded again, and what it had replaced.
    pub(super) async fn record_repeated(&self, erasure: &mut PendingErasure) -> Result<(), ErasureError> {
        let Who::Hashed(repeated) = &mut erasure.who else { return Ok(()) };
        if repeated.recorded {
            return Ok(());
        }
        repeated.recorded = true;
        let objects = std::mem::take(&mut repeated.objects);
        let (tenant, erasure_id) = (erasure.tenant, erasure.id);
        let mut events =
            vec![ConfigEvent::ErasureRequested(ErasureRequested { erasure_id, after_restore: true }).into()];
        for objects in objects.chunks(BATCH_OBJECTS) {
            events.push(erased_event(erasure, Vec::new(), objects.to_vec(), BTreeMap::new()));
        }
        let mut tx = self.log.pool().begin().await?;
        table::keep(&mut tx, self.vault, erasure).await?;
        let version = tenants::lock(&mut tx, tenant).await?;
        record(self.log, &mut tx, tenant, Change::after(tenant, version, events), &By::system()).await?;
        tx.commit().await?;
        self.log.wake();
        Ok(())
    }
}

/// Data of the person was removed.
pub(super) fn erased_event(
    erasure: &PendingErasure,
    lead_ids: Vec<LeadId>,
    objects: Vec<ErasedObject>,
    rows: BTreeMap<String, u64>,
) -> Event {
    let (erasure_id, after_restore) = (erasure.id, erasure.is_repeated());
    ConfigEvent::LeadErased(Box::new(LeadErased { erasure_id, lead_ids, objects, rows, after_restore })).into()
}
