//! /api/blobs/{key}: objects of the local store, by addresses that it signed itself. No key is needed: the address is one.

use std::{convert::Infallible, sync::Arc};

use futures::StreamExt;
use http::{HeaderValue, StatusCode, header};
use luci_engine::{
    book::imports::{self, Status},
    storage::{BlobAccess, BlobRefused},
};
use luci_schema::object_key::{ObjectKey, Place};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use warp::{Reply, reply::Response};

use super::Answer;
use crate::{App, ask::Ask, problem::Problem, serve};

/// Chunks between the disk and the client.
const AHEAD: usize = 4;

pub async fn get(app: Arc<App>, ask: Ask) -> Answer {
    let (object_path, disposition) = match access(&app, &ask)? {
        BlobAccess::Download { object_path, disposition } => (object_path, disposition),
        BlobAccess::Upload { .. } => return Err(refused(BlobRefused::Signature)),
    };
    let stored = app.storage.head(&object_path).await?.ok_or_else(|| Problem::not_found("object"))?;
    let mut response = send(&app, &object_path);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, stored.size_bytes.into());
    let kind = if object_path.ends_with(".ndjson") { "application/x-ndjson" } else { "application/octet-stream" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// The object as it is read. An answer that breaks off is shorter than its Content-Length says.
fn send(app: &App, object_path: &str) -> Response {
    let mut chunks = app.storage.read_from(object_path, 0);
    let (sender, receiver) = mpsc::channel::<Result<bytes::Bytes, Infallible>>(AHEAD);
    tokio::spawn(async move {
        while let Some(Ok(chunk)) = chunks.next().await {
            if sender.send(Ok(chunk)).await.is_err() {
                return;
            }
        }
    });
    warp::reply::stream(ReceiverStream::new(receiver)).into_response()
}

pub async fn put(app: Arc<App>, mut ask: Ask) -> Answer {
    let (key, content_type, max_bytes) = match access(&app, &ask)? {
        BlobAccess::Upload { key, content_type, max_bytes } => (key, content_type, max_bytes),
        BlobAccess::Download { .. } => return Err(refused(BlobRefused::Signature)),
    };
    if ask.header("content-type") != Some(content_type.as_str()) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "content-type", "Another content type was announced")
            .detail(format!("The address takes `{content_type}`.")));
    }
    let mut body = ask.stream(max_bytes)?;
    let mut writer = app.storage.writer(&key, &content_type);
    while let Some(chunk) = body.next().await {
        writer.write(&chunk?).await?;
    }
    // The address is valid for longer than it takes to complete the upload, and what was verified must stay as it was.
    open_still(&app, &key).await?;
    let written = writer.finish().await?;
    Ok(serve::json(StatusCode::OK, &json!({"sizeBytes": written.size_bytes, "checksum": written.checksum})))
}

/// Refuses a file of an import that is completed, or was refused: its checksum is in the log.
async fn open_still(app: &App, key: &ObjectKey) -> Result<(), Problem> {
    let Place::Import { import_id, .. } = key.place else { return Ok(()) };
    let mut c = app.engine_pool.acquire().await?;
    match imports::get(&mut c, key.tenant_id, import_id).await?.map(|import| import.status) {
        Some(Status::Completed | Status::Rejected) => {
            Err(Problem::new(StatusCode::CONFLICT, "upload-over", "The upload is over")
                .detail("It was completed or refused; announce another one."))
        }
        Some(Status::Pending) | None => Ok(()),
    }
}

fn access(app: &App, ask: &Ask) -> Result<BlobAccess, Problem> {
    let object_path = ask.params.first().map(String::as_str).unwrap_or_default();
    app.storage.blob_access(ask.method.as_str(), object_path, &ask.query).map_err(refused)
}

fn refused(why: BlobRefused) -> Problem {
    match why {
        BlobRefused::NotLocal => Problem::no_route(),
        BlobRefused::Signature | BlobRefused::Expired => {
            Problem::new(StatusCode::FORBIDDEN, "address", "The address is not valid").detail(why.to_string())
        }
    }
}
