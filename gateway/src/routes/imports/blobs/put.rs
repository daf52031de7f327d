//! `PUT /api/blobs/{key}`: uploads an object to the local store.

use std::sync::Arc;

use futures::StreamExt;
use http::StatusCode;
use luci_leads::store::imports::{self, ImportStatus};
use luci_schema::object_key::{ObjectKey, ObjectLocation};
use luci_storage::{BlobAccess, BlobRefused};
use serde_json::json;

use crate::{
    App,
    problem::Problem,
    reply,
    request::Request,
    routes::{HandlerResult, imports::blobs::access},
};

pub async fn handle(app: Arc<App>, mut request: Request) -> HandlerResult {
    let (key, content_type, max_bytes) = match access(&app, &request)? {
        BlobAccess::Upload { key, content_type, max_bytes } => (key, content_type, max_bytes),
        BlobAccess::Download { .. } => return Err(BlobRefused::Signature.into()),
    };
    if request.header("content-type") != Some(content_type.as_str()) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "content-type", "Content type differs from the announced one")
            .detail(format!("The URL is signed for `{content_type}`."))
            .into());
    }
    let mut body = request.stream(max_bytes)?;
    let mut writer = app.storage.writer(&key, &content_type);
    while let Some(chunk) = body.next().await {
        writer.write(&chunk?).await?;
    }
    // The URL is valid for longer than it takes to complete the upload; a verified file must not be replaced.
    reject_if_complete(&app, &key).await?;
    let written = writer.finish().await?;
    Ok(reply::json(StatusCode::OK, &json!({"sizeBytes": written.size_bytes, "checksum": written.checksum})))
}

/// 409 if the import is completed or rejected: its checksum is in the log.
async fn reject_if_complete(app: &App, key: &ObjectKey) -> Result<(), Problem> {
    let ObjectLocation::Import { import_id, .. } = key.place else { return Ok(()) };
    let mut c = app.engine_pool.acquire().await?;
    match imports::get(&mut c, key.tenant_id, import_id).await?.map(|import| import.status) {
        Some(ImportStatus::Completed | ImportStatus::Rejected) => {
            Err(Problem::new(StatusCode::CONFLICT, "upload-over", "Upload already completed")
                .detail("It was completed or rejected. Announce a new upload."))
        }
        Some(ImportStatus::Pending) | None => Ok(()),
    }
}
