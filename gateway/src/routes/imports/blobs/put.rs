//! `PUT /api/blobs/{key}`: uploads an object to the local store.

use std::sync::Arc;

use futures::StreamExt;
use http::StatusCode;
use luci_leads::store::imports::{self, ImportStatus};
use luci_schema::object_key::{ObjectKey, ObjectLocation};
use luci_storage::{BlobAccess, BlobRefused, same_media_type};
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
    if !request.header("content-type").is_some_and(|sent| same_media_type(sent, &content_type)) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "content-type", "Content type differs from the announced one")
            .detail(format!("The URL is signed for `{content_type}`."))
            .into());
    }
    let mut body = request.stream(max_bytes)?;
    let mut writer = app.storage.writer(&key, &content_type);
    while let Some(chunk) = body.next().await {
        writer.write(&chunk?).await?;
    }
    // The URL is valid for longer than it takes to complete the upload. A later file would not be read, so it is refused.
    reject_if_complete(&app, &key).await?;
    let written = writer.finish().await?;
    Ok(reply::json(StatusCode::OK, &json!({"sizeBytes": written.size_bytes, "checksum": written.checksum})))
}

/// 409 if the import is completed or rejected, or its file was taken already: another one would not be read.
async fn reject_if_complete(app: &App, key: &ObjectKey) -> Result<(), Problem> {
    // An earlier version signed URLs for the key of the import.
    let (ObjectLocation::Staging { import_id } | ObjectLocation::Import { import_id, .. }) = key.place else {
        return Ok(());
    };
    let mut c = app.engine_pool.acquire().await?;
    let import = imports::get(&mut c, key.tenant_id, import_id).await?;
    drop(c);
    let over = match import {
        Some(import) if import.status == ImportStatus::Pending => {
            import.staged && app.storage.head(&import.object_path).await?.is_some()
        }
        Some(_) => true,
        None => false,
    };
    if over {
        return Err(Problem::new(StatusCode::CONFLICT, "upload-over", "Upload already completed")
            .detail("Its file was taken by `complete`. Announce a new upload."));
    }
    Ok(())
}
