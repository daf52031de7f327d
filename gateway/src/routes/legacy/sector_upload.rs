//! `POST /api/buckets/sectors/upload`: a CSV for a bucket. Its rows become an import, and a run stores them as leads of the sector.

use std::sync::Arc;

use luci_leads::{legacy::storage_path::StoragePath, store::legacy_uploads::LegacyUpload};
use serde_json::json;
use warp::reply::Response;

use super::{
    bad_field,
    form::{Form, StoredFile},
    receive::receive,
    sector_of::{self, bucket_id},
    stored_upload::StoredUpload,
};
use crate::{
    App,
    caller::Caller,
    idempotency::{self, Command},
    problem::Problem,
    request::Request,
    routes::HandlerResult,
};

const FIELDS: [&str; 3] = ["bucketId", "sicCode", "description"];
/// Characters of a description at most.
const DESCRIPTION: usize = 2_000;

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (command, form) = receive(&app, &caller, &mut request, &FIELDS).await?;
    let answer = upload(&app, &caller, &command, &form).await;
    form.kept_if_imported(&app, &caller, answer).await
}

async fn upload(app: &App, caller: &Caller, command: &Command, form: &Form) -> Result<Response, Problem> {
    let digest = form.digest()?;
    let Some(file) = form.stored() else { return Err(Problem::internal(&"a new form has no stored file")) };
    let description = form.text("description").map(str::to_owned);
    if description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION) {
        return Err(bad_field("description", format!("at most {DESCRIPTION} characters")));
    }
    let mut c = app.engine_pool.acquire().await?;
    let sector = sector_of::find(&mut c, caller, (form.text("bucketId"), form.text("sicCode"))).await?;
    drop(c);
    let mut upload = StoredUpload::of(app, file, Some(sector.id), None).await?;
    let (counts, upload_id) = (upload.counts.clone(), upload_id(file));
    upload.listed = Some(LegacyUpload {
        upload_id: upload_id.clone(),
        import_id: file.import_id,
        sector_id: sector.id,
        file_name: file.file_name.clone(),
        description,
        stats: counts.stats.clone(),
        uploaded_by: caller.author().to_string(),
        uploaded_at: file.created_at,
    });
    let path = StoragePath::first_of(&sector);
    let mut next = vec![format!("GET /api/buckets/sectors/upload?bucketId={} shows the bucket", bucket_id(&sector))];
    if counts.stats.needs_skip_trace > 0 {
        next.push("POST /api/luci/orchestrate with action enrich and this bucketId finds phone numbers".to_owned());
    }
    let stored =
        if upload.run.is_some() { "a run stores them as leads of the sector" } else { "none can become a lead" };
    let mut reply = json!({
        "success": true,
        "uploadId": upload_id,
        "bucket": {"id": bucket_id(&sector), "name": sector.name, "sector": path.sector,
            "storagePath": path.to_string()},
        "stats": counts.stats,
        "indexes": {"statesFound": counts.states, "countiesFound": counts.counties, "citiesFound": counts.cities},
        "message": format!("{} of {} rows uploaded to {}; {stored}", counts.valid, counts.stats.total, sector.name),
        "nextSteps": next,
        "sectorId": sector.id,
    });
    if !counts.errors.is_empty() {
        reply["errors"] = json!(counts.errors);
    }
    upload.add_new_keys(&mut reply);
    upload.commit(app, caller, command, (digest, idempotency::answered(reply))).await
}

/// `upload-{milliseconds}-{9 characters}`, from the id of the import.
fn upload_id(file: &StoredFile) -> String {
    let ulid = file.import_id.ulid();
    let random = ulid.to_string().to_ascii_lowercase();
    format!("upload-{}-{}", ulid.timestamp_ms(), &random[random.len() - 9..])
}
