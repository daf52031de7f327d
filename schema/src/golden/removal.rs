//! Samples of erasures and retention.

use std::collections::BTreeMap;

use super::samples::ulid;
use crate::{
    ConfigEvent, ErasureId, Event, LeadId, ObjectDigest, StreamId, TenantId,
    event::{ErasedObject, ErasedVersion, ErasureRequested, LeadErased, ObjectExpired, RetentionUpdated},
};

pub(super) fn all(tenant: TenantId) -> Vec<(StreamId, Event)> {
    let (erasure_id, lead_id) = (ErasureId::from_ulid(ulid(30)), LeadId::from_ulid(ulid(17)));
    let digest = ObjectDigest { size_bytes: 512, checksum: "0a".repeat(32) };
    let now = ErasedVersion { object_path: "tenant/imports/2024-12-05/import_erased_0a.csv".into(), digest };
    let erased = LeadErased {
        erasure_id,
        lead_ids: vec![lead_id],
        objects: vec![
            ErasedObject { object_path: "tenant/imports/2024-12-05/import_file.csv".into(), now: Some(now) },
            ErasedObject { object_path: "tenant/webhooks/twilio/2024-12-05/wh.json".into(), now: None },
        ],
        rows: BTreeMap::from([("leads".into(), 1), ("sms_queue".into(), 2)]),
        after_restore: false,
    };
    let days = BTreeMap::from([("artifacts".into(), 30), ("webhooks".into(), 90)]);
    let expired = ObjectExpired {
        domain: "webhooks".into(),
        objects: 1,
        size_bytes: 700,
        object_paths: vec!["tenant/webhooks/twilio/2024-12-05/wh.json".into()],
    };
    vec![
        (tenant.into(), ConfigEvent::ErasureRequested(ErasureRequested { erasure_id, after_restore: false }).into()),
        (tenant.into(), ConfigEvent::LeadErased(Box::new(erased)).into()),
        (tenant.into(), ConfigEvent::RetentionUpdated(RetentionUpdated { days }).into()),
        (tenant.into(), ConfigEvent::ObjectExpired(Box::new(expired)).into()),
    ]
}
