//! Samples of lead events.

use super::samples::ulid;
use crate::{
    ConfigEvent, Event, ImportId, LeadId, StreamId, TenantId,
    event::{LeadUpdated, LeadsCreated},
};

pub(super) fn all(tenant: TenantId) -> Vec<(StreamId, Event)> {
    let (import_id, lead_id) = (ImportId::from_ulid(ulid(10)), LeadId::from_ulid(ulid(17)));
    let created = LeadsCreated {
        import_id,
        object_path: "tenant/imports/2024-12-05/import_leads.ndjson".into(),
        leads: 7,
        created: 5,
        existing: 2,
        duplicates: 1,
        left_out: 0,
    };
    let updated = LeadUpdated { lead_id, from_status: "new".into(), status: "qualified".into() };
    vec![
        (import_id.into(), ConfigEvent::LeadsCreated(Box::new(created)).into()),
        (tenant.into(), ConfigEvent::LeadUpdated(updated).into()),
    ]
}
