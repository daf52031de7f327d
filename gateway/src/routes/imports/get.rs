//! `GET /api/imports/{importId}`: one import; with `verify` its file is compared with what was recorded.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::imports::{self, Import, ImportStatus};
use luci_schema::{ImportId, Micros, event::ObjectDigest};
use serde_json::{Value, json};

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: ImportId = request.id(0, "import")?;
    let mut c = app.engine_pool.acquire().await?;
    let import = imports::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("import"))?;
    drop(c);
    if request.query_flag("verify")
        && let (ImportStatus::Completed, Some(size_bytes), Some(checksum)) =
            (import.status, import.size_bytes, import.checksum.clone())
    {
        app.storage.verify(&import.object_path, &ObjectDigest { size_bytes, checksum }).await?;
    }
    Ok(reply::json(StatusCode::OK, &view(&import)))
}

/// An import in responses.
pub fn view(import: &Import) -> Value {
    json!({"importId": import.id, "fileName": import.file_name, "status": import.status,
        "key": import.object_path, "contentType": import.content_type, "sizeBytes": import.size_bytes,
        "checksum": import.checksum, "rows": import.rows, "summary": import.summary, "preview": import.preview, "error": import.error,
        "createdBy": import.created_by, "createdAt": import.created_at.rfc3339(),
        "completedAt": import.completed_at.map(Micros::rfc3339)})
}
