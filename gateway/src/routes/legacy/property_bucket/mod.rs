//! `/api/property/bucket`: buckets of properties. A bucket is a sector with a lead for each property id.

mod body;
pub mod create;
pub mod get;
pub mod remove;
pub mod update;

use luci_leads::{
    legacy::property_buckets::{AddedProperties, SavedBucket},
    store::{
        leads::sector_counts::{self, SectorCounts},
        property_buckets::PropertyBucket,
        sectors::Sector,
    },
};
use luci_schema::{SectorId, TenantId};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::bad_field;
use crate::{problem::Problem, request::Request};

/// The bucket that a query names.
fn id_of(request: &Request) -> Result<Option<SectorId>, Problem> {
    let named = request.query("id").or_else(|| request.query("bucketId"));
    named.map(|text| sector_id(&text)).transpose()
}

/// What is no id is the id of no bucket.
fn sector_id(text: &str) -> Result<SectorId, Problem> {
    text.parse().map_err(|_| Problem::not_found("property bucket"))
}

fn id_required() -> Problem {
    bad_field("id", "the id of a bucket")
}

fn view(sector: &Sector, bucket: &PropertyBucket, counts: &SectorCounts) -> Value {
    let status = match (counts.enriched, counts.total) {
        (0, _) => "pending",
        (enriched, total) if enriched >= total => "completed",
        _ => "in_progress",
    };
    json!({"id": sector.id, "name": sector.name, "description": bucket.description, "totalLeads": counts.total,
        "enrichmentStatus": status, "filters": bucket.filters, "signals": bucket.signals,
        "createdAt": bucket.created_at.rfc3339(), "updatedAt": bucket.updated_at.rfc3339()})
}

/// The old keys of a reply, and the new ones where properties were added.
fn outcome(saved: &SavedBucket, counts: &SectorCounts) -> Value {
    let inserted = saved.added.as_ref().map_or(0, |added| added.inserted);
    let mut reply = json!({"success": true, "bucket": view(&saved.sector, &saved.bucket, counts),
        "stats": {"inserted": inserted, "total": counts.total}});
    if let Some(AddedProperties { import_id, key, .. }) = &saved.added {
        reply["key"] = json!(key);
        reply["importId"] = json!(import_id);
    }
    reply
}

/// The leads of a bucket.
async fn counts(c: &mut PgConnection, tenant: TenantId, sector: SectorId) -> Result<SectorCounts, Problem> {
    Ok(sector_counts::totals(c, tenant, sector).await?)
}
