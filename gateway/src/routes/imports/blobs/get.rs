//! `GET /api/blobs/{key}`: downloads an object of the local store.

use std::{convert::Infallible, sync::Arc};

use futures::StreamExt;
use http::{HeaderValue, header};
use luci_storage::{BlobAccess, BlobRefused};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use warp::{Reply, reply::Response};

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

/// Streams the object. After a read error, the response is shorter than its Content-Length.
fn send(app: &App, object_path: &str) -> Response {
    let mut chunks = app.storage.read_from(object_path, 0);
    let (sender, receiver) = mpsc::channel::<Result<bytes::Bytes, Infallible>>(BUFFERED_CHUNKS);
    tokio::spawn(async move {
        while let Some(Ok(chunk)) = chunks.next().await {
            if sender.send(Ok(chunk)).await.is_err() {
                return;
            }
        }
    });
    warp::reply::stream(ReceiverStream::new(receiver)).into_response()
}
