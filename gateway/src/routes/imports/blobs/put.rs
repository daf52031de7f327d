//! `PUT /api/blobs/{key}`: uploads an object to the local store.

use std::sync::Arc;

use futures::StreamExt;
use http::StatusCode;
use luci_leads::store::imports::{self, ImportStatus};
use luci_schema::object_key::{ObjectKey, ObjectLocation};
use luci_storage::{BlobAccess, BlobRefused, checksum_header, same_media_type};
use serde_json::{Value, json};

use crate::{
    App,
    problem::Problem,
    reply,
    request::Request,
    routes::{HandlerResult, imports::blobs::access},
};

pub async fn handle(app: Arc<App>, mut request: Request) -> HandlerResult {
    let (key, content_type, max_bytes, checksum) = match access(&app, &request)? {
        BlobAccess::Upload { key, content_type, max_bytes, checksum } => (key, content_type, max_bytes, checksum),
        BlobAccess::Download { .. } => return Err(BlobRefused::Signature.into()),
    };
    if !request.header("content-type").is_some_and(|sent| same_media_type(sent, &content_type)) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "content-type", "Content type differs from the announced one")
            .detail(format!("The URL is signed for `{content_type}`."))
            .into());
    }
    check_part(&request, checksum.as_deref(), max_bytes)?;
    let mut body = request.stream(max_bytes)?;
    let mut writer = app.storage.writer(&key, &content_type);
    while let Some(chunk) = body.next().await {
        writer.write(&chunk?).await?;
    }
    // The URL is valid for longer than it takes to complete the upload. A later file would not be read, so it is refused.
    reject_if_complete(&app, &key).await?;
    let (written, taken) =
        writer.finish_if(|written| checksum.as_ref().is_none_or(|wanted| *wanted == written.checksum)).await?;
    if let (false, Some(checksum)) = (taken, &checksum) {
        let found = json!({"checksum": written.checksum, "sizeBytes": written.size_bytes});
        return Err(other_content((checksum.as_str(), max_bytes), found).into());
    }
    Ok(reply::json(StatusCode::OK, &json!({"sizeBytes": written.size_bytes, "checksum": written.checksum})))
}

/// The URL of a part is signed for one content: S3 wants the signed header too, and a body of that size.
fn check_part(request: &Request, checksum: Option<&str>, size_bytes: u64) -> Result<(), Problem> {
    let Some((checksum, wanted)) = checksum.and_then(|sum| Some((sum, checksum_header(sum)?))) else { return Ok(()) };
    if request.header("x-amz-checksum-sha256") != Some(wanted.as_str()) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "checksum-header", "Checksum differs from the announced one")
            .detail(format!("The URL is signed for `x-amz-checksum-sha256: {wanted}`.")));
    }
    let length = request.header("content-length").and_then(|text| text.parse::<u64>().ok());
    match length.filter(|length| *length != size_bytes) {
        Some(length) => Err(other_content((checksum, size_bytes), json!({"sizeBytes": length}))),
        None => Ok(()),
    }
}

/// As S3 answers: what arrived is shorter than the part, or something else; nothing of it is kept.
fn other_content((checksum, size_bytes): (&str, u64), found: Value) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "checksum-differs", "The body is not what was announced")
        .detail("Send the announced part again, or ask for another URL.")
        .with("expected", json!({"checksum": checksum, "sizeBytes": size_bytes}))
        .with("found", found)
}

/// 409 if the import is completed or rejected, or its file was taken already: another one would not be read.
async fn reject_if_complete(app: &App, key: &ObjectKey) -> Result<(), Problem> {
    // An earlier version signed URLs for the key of the import.
    let (ObjectLocation::Staging { import_id }
    | ObjectLocation::StagedPart { import_id, .. }
    | ObjectLocation::Import { import_id, .. }) = key.place
    else {
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
