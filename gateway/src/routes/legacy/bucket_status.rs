//! The status of a bucket: what LUCI has of its sector, with what the old `index.json` says of earlier files.

use luci_leads::{
    legacy::{
        resolve::{ResolveError, Resolver},
        storage_path::StoragePath,
    },
    store::{
        leads::sector_counts::{self, PlaceCounts},
        legacy_uploads,
        sectors::Sector,
    },
};
use luci_schema::Micros;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{get_object::problem_of, sector_of::bucket_id};
use crate::{App, caller::Caller, problem::Problem};

/// The largest `index.json` that is read, in bytes.
const INDEX_BYTES: u64 = 16 << 20;

/// What an old `index.json` says; what it lacks counts as nothing.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct OldIndex {
    bucket_id: Option<String>,
    description: Option<String>,
    created_at: Option<String>,
    total_records: u64,
    enriched_records: u64,
    skip_traced_records: u64,
    files: Vec<Value>,
    indexes: PlaceCounts,
}

/// The index of the bucket, as the older platform kept it.
pub async fn view(app: &App, caller: &Caller, sector: &Sector) -> Result<Value, Problem> {
    let (path, old) = old_index(app, caller, sector).await?;
    let mut c = app.engine_pool.acquire().await?;
    let counts = sector_counts::of(&mut c, caller.tenant, sector.id).await?;
    let uploads = legacy_uploads::of_sector(&mut c, caller.tenant, sector.id).await?;
    drop(c);
    let updated_at = uploads.last().map(|upload| upload.uploaded_at.rfc3339());
    let description = uploads.iter().rev().find_map(|upload| upload.description.clone()).or(old.description);
    let new = uploads.iter().map(|upload| {
        json!({"uploadId": upload.upload_id, "fileName": upload.file_name,
            "uploadedAt": upload.uploaded_at.rfc3339(), "recordCount": upload.stats.total, "stats": upload.stats,
            "importId": upload.import_id})
    });
    let mut files = old.files;
    files.extend(new);
    let created_at = old.created_at.unwrap_or_else(|| Micros::rfc3339(sector.created_at));
    Ok(json!({
        "success": true,
        "bucketId": bucket_id(sector),
        "sectorId": sector.id,
        "name": sector.name,
        "sector": path.sector,
        "subsector": path.subsector,
        "sicCodes": sector.sic_codes,
        "state": sector.state.as_deref().unwrap_or("US"),
        "description": description,
        "storagePath": path.to_string(),
        "createdAt": created_at,
        "updatedAt": updated_at.unwrap_or_else(|| created_at.clone()),
        "totalRecords": old.total_records + counts.total,
        "enrichedRecords": old.enriched_records + counts.enriched,
        "skipTracedRecords": old.skip_traced_records + counts.skip_traced,
        "files": files,
        "indexes": sum(old.indexes, counts.by),
    }))
}

/// The old index of the bucket, where the tenant may read it, and the bucket's folder.
async fn old_index(app: &App, caller: &Caller, sector: &Sector) -> Result<(StoragePath, OldIndex), Problem> {
    let resolver = Resolver { storage: &app.storage, tenant: caller.tenant, owner: app.options.legacy_tenant };
    for path in StoragePath::candidates(sector) {
        let mut c = app.engine_pool.acquire().await?;
        let found = match resolver.resolve(&mut c, &path.index_key()).await {
            // A sector whose slug makes no key has no old files.
            Err(ResolveError::Key(_)) => None,
            found => found.map_err(problem_of)?,
        };
        drop(c);
        let Some(found) = found.filter(|found| found.size_bytes <= INDEX_BYTES) else { continue };
        let Ok(index) = serde_json::from_slice::<OldIndex>(&app.storage.get(&found.object_path).await?) else {
            tracing::debug!(object = found.object_path, "old index is not JSON of an index");
            continue;
        };
        // Several buckets can have one short name.
        let slug = path.slug();
        let names = [bucket_id(sector), sector.slug.as_str(), slug.as_str()];
        if index.bucket_id.as_deref().is_none_or(|id| names.contains(&id)) {
            return Ok((path, index));
        }
    }
    Ok((StoragePath::first_of(sector), OldIndex::default()))
}

fn sum(old: PlaceCounts, new: PlaceCounts) -> PlaceCounts {
    let mut sum = old;
    let pairs = [
        (&mut sum.by_state, new.by_state),
        (&mut sum.by_county, new.by_county),
        (&mut sum.by_city, new.by_city),
        (&mut sum.by_sic_code, new.by_sic_code),
    ];
    for (all, more) in pairs {
        for (name, count) in more {
            *all.entry(name).or_default() += count;
        }
    }
    sum
}
