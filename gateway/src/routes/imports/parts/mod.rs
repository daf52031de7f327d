//! Uploads in parts: announced, put part by part, continued after an interruption, ended.

pub mod abort;
pub mod announce;
pub mod open;
pub mod status;
pub mod urls;

use http::StatusCode;
use luci_leads::store::{
    imports::{self, Import, ImportStatus},
    old_uploads::PARTS_KEPT_MS,
};
use luci_schema::{ImportId, Micros, TenantId, event::ObjectDigest};
use luci_storage::{PartPlan, PartedUpload, StagedPart};
use serde_json::{Value, json};

use crate::{App, caller::Caller, problem::Problem};

/// The upload in parts of an import; `None` when its file is put in one request.
pub fn parted(tenant: TenantId, import: &Import) -> Result<Option<PartedUpload>, Problem> {
    let (Some(parts), Some(size_bytes)) = (&import.parts, import.size_bytes) else { return Ok(None) };
    let plan = PartPlan { size_bytes, part_bytes: parts.part_bytes };
    let mut announced = Vec::new();
    for (number, checksum) in (1..).zip(&parts.checksums) {
        if let (Some(checksum), Some(size_bytes)) = (checksum.clone(), plan.size_of(number)) {
            let part = StagedPart::new(tenant, import.id, number, ObjectDigest { size_bytes, checksum });
            announced.push(part.map_err(|error| Problem::internal(&error))?);
        }
    }
    Ok(Some(PartedUpload { tenant_id: tenant, import_id: import.id, plan, announced }))
}

/// An import of the tenant that is uploaded in parts.
async fn find(app: &App, caller: &Caller, id: ImportId) -> Result<(Import, PartedUpload), Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let import = imports::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("upload"))?;
    drop(c);
    match parted(caller.tenant, &import)? {
        Some(upload) => Ok((import, upload)),
        None => Err(Problem::new(StatusCode::CONFLICT, "not-in-parts", "The upload is not in parts")
            .detail("Its file is put in one request. Announce it at `/api/uploads/multipart` to send it in parts.")),
    }
}

/// When the upload can no longer be continued.
fn expires_at(import: &Import) -> Micros {
    import.created_at.plus_millis(PARTS_KEPT_MS)
}

/// 409 when no part is accepted any more.
fn check_open(import: &Import) -> Result<(), Problem> {
    if import.status != ImportStatus::Pending {
        return Err(over());
    }
    if Micros::now() >= expires_at(import) {
        return Err(Problem::new(StatusCode::CONFLICT, "upload-expired", "The upload has expired")
            .detail("It was announced more than seven days ago. Announce a new one."));
    }
    Ok(())
}

fn over() -> Problem {
    Problem::new(StatusCode::CONFLICT, "upload-over", "The upload has ended")
        .detail("It was completed, rejected or aborted; `GET /api/imports/{importId}` shows which. Announce a new one.")
}

/// An upload in responses.
fn view(import: &Import, plan: PartPlan) -> Value {
    json!({"importId": import.id, "fileName": import.file_name, "status": import.status,
        "contentType": import.content_type, "sizeBytes": import.size_bytes, "checksum": import.checksum,
        "key": import.object_path, "partBytes": plan.part_bytes, "partCount": plan.count(),
        "createdBy": import.created_by, "createdAt": import.created_at.rfc3339(), "expiresAt": expires_at(import).rfc3339()})
}
