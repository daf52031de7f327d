//! `GET /api/blobs/{key}`: downloads an object of the local store, whole or in part, as S3 does.

use std::{
    convert::Infallible,
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::StreamExt;
use headers::{AcceptRanges, ContentRange, ETag, HeaderMapExt, LastModified};
use http::{HeaderValue, StatusCode, header};
use luci_storage::{BlobAccess, BlobRefused, StoredObject};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use warp::{Reply, reply::Response};

use super::conditions::{Selection, Validators, select};
use crate::{
    App,
    problem::Problem,
    request::Request,
    routes::{HandlerResult, imports::blobs::access},
};

/// Chunks buffered between the disk and the client.
const BUFFERED_CHUNKS: usize = 4;

pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    let (object_path, disposition) = match access(&app, &request)? {
        BlobAccess::Download { object_path, disposition } => (object_path, disposition),
        BlobAccess::Upload { .. } => return Err(BlobRefused::Signature.into()),
    };
    let stored = app.storage.head(&object_path).await?.ok_or_else(|| Problem::not_found("object"))?;
    let (validators, size) = (validators(&stored), stored.size_bytes);
    let mut response = match select(&request.headers, &validators, size) {
        Selection::Whole => send(&app, &object_path, 0..size),
        Selection::Part(range) => {
            let content_range = ContentRange::bytes(range.clone(), size);
            let mut response = send(&app, &object_path, range);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            response.headers_mut().typed_insert(content_range.map_err(|error| Problem::internal(&error))?);
            response
        }
        Selection::NotModified => empty(StatusCode::NOT_MODIFIED),
        Selection::OtherObject => return Err(other_object().into()),
        Selection::OutsideObject => return Err(outside(size).into()),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&object_path)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.typed_insert(AcceptRanges::bytes());
    headers.typed_insert(LastModified::from(validators.modified));
    if let Some(tag) = validators.tag {
        headers.typed_insert(tag);
    }
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// What a bucket stores with the objects; a folder has only their names.
fn content_type(object_path: &str) -> &'static str {
    match object_path.rsplit('.').next() {
        Some("ndjson") => "application/x-ndjson",
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        Some("mp3") => "audio/mpeg",
        Some("pdf") => "application/pdf",
        _ => "application/octet-stream",
    }
}

fn validators(stored: &StoredObject) -> Validators {
    let tag = stored.entity_tag.as_ref().and_then(|tag| format!("\"{tag}\"").parse::<ETag>().ok());
    let since_epoch = Duration::from_micros(u64::try_from(stored.modified.0).unwrap_or(0));
    Validators { tag, modified: SystemTime::UNIX_EPOCH + since_epoch }
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

fn other_object() -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "object-changed", "Another object")
        .detail("The stored object is not the one of `If-Match` or `If-Unmodified-Since`.")
}

fn outside(size: u64) -> Problem {
    Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", "Range outside the object")
        .detail(format!("The object has {size} bytes."))
        .with("sizeBytes", size)
        .header(header::CONTENT_RANGE, &format!("bytes */{size}"))
}

/// Streams bytes of the object. After a read error, the response is shorter than its Content-Length.
fn send(app: &App, object_path: &str, range: Range<u64>) -> Response {
    let length = range.end - range.start;
    let mut chunks = app.storage.read_range(object_path, range);
    let (sender, receiver) = mpsc::channel::<Result<bytes::Bytes, Infallible>>(BUFFERED_CHUNKS);
    tokio::spawn(async move {
        while let Some(Ok(chunk)) = chunks.next().await {
            if sender.send(Ok(chunk)).await.is_err() {
                return;
            }
        }
    });
    let mut response = warp::reply::stream(ReceiverStream::new(receiver)).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}
