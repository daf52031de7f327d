//! /api/blobs/{key}: objects of the local store, by addresses that it signed itself. No key is needed: the address is one.

use std::{convert::Infallible, sync::Arc};

use futures::StreamExt;
use http::{HeaderValue, StatusCode, header};
use luci_engine::storage::{BlobAccess, BlobRefused};
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
    let written = writer.finish().await?;
    Ok(serve::json(StatusCode::OK, &json!({"sizeBytes": written.size_bytes, "checksum": written.checksum})))
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
