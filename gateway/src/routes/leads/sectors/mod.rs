//! Routes of sectors, the markets of a tenant.

pub mod create;
pub mod get;
pub mod list;
pub mod update;

use luci_leads::store::sectors as store;
use serde_json::{Value, json};

/// A sector in responses.
pub fn view(sector: &store::Sector) -> Value {
    json!({"sectorId": sector.id, "slug": sector.slug, "name": sector.name, "state": sector.state,
        "sicCodes": sector.sic_codes, "legacyBucketId": sector.legacy_bucket_id,
        "createdAt": sector.created_at.rfc3339()})
}
