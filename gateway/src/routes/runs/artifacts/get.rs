//! `GET /api/pipelines/{runId}/artifacts/{artifactId}`: a redirect to the object, or a preview (`?preview`).

use std::sync::Arc;

use futures::TryStreamExt;
use http::{HeaderValue, StatusCode, header};
use luci_projections::artifacts::{self, Artifact};
use luci_schema::{ArtifactId, RunId, event::ObjectDigest};
use luci_storage::{CurrentObject, Storage};
use serde_json::{Value, json};
use warp::reply::Response;

use crate::{App, caller::Caller, problem::Problem, reads::Reading, request::Request, routes::HandlerResult};

/// Of the object that the answer points to: SHA-256 in lower hex, and bytes.
const SHA256: &str = "luci-sha256";
const SIZE: &str = "luci-size-bytes";
/// Lines of a preview, at most.
const PREVIEW_LINES: u32 = 200;
/// Bytes of the lines of a preview, at most.
const PREVIEW_BYTES: usize = 1 << 20;

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let id: ArtifactId = request.id(1, "artifact")?;
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let artifact = artifacts::get(&mut reading.tx, caller.tenant, run, id).await?;
    let artifact = artifact.ok_or_else(|| Problem::not_found("artifact"))?;
    drop(reading);
    match request.query_flag("preview") {
        true => preview(&app, &artifact, request.limit(50, PREVIEW_LINES)?).await,
        false => redirect(&app.storage, &artifact).await,
    }
}

/// A presigned URL is answered by the store, which compares nothing: the object is verified before the URL is given out, and
/// its digest is in the headers for a client that wants to compare what it received.
async fn redirect(storage: &Storage, artifact: &Artifact) -> HandlerResult {
    let CurrentObject { object_path, digest } = storage.current(&artifact.object_path, &digest(artifact)).await?;
    let name = object_path.rsplit('/').next().unwrap_or("artifact.ndjson");
    let signed = storage.download_url(&object_path, name, Storage::DOWNLOAD_VALID).await?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::FOUND;
    let location = HeaderValue::from_str(&signed.url).map_err(|error| Problem::internal(&error))?;
    response.headers_mut().insert(header::LOCATION, location);
    if let Ok(sha256) = HeaderValue::from_str(&digest.checksum) {
        response.headers_mut().insert(SHA256, sha256);
    }
    response.headers_mut().insert(SIZE, digest.size_bytes.into());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn digest(artifact: &Artifact) -> ObjectDigest {
    ObjectDigest { size_bytes: artifact.size_bytes, checksum: artifact.checksum.clone() }
}

async fn preview(app: &App, artifact: &Artifact, limit: u32) -> HandlerResult {
    let mut lines = app.storage.verified_lines(&artifact.object_path, &digest(artifact));
    let (mut rows, mut bytes, mut more) = (Vec::new(), 0, false);
    while let Some(line) = lines.try_next().await? {
        bytes += line.len();
        if rows.len() >= limit as usize || bytes > PREVIEW_BYTES {
            more = true;
            break;
        }
        rows.push(serde_json::from_slice::<Value>(&line).map_err(|error| Problem::internal(&error))?);
    }
    let leads = artifact.metadata.get("leads").cloned().unwrap_or(Value::Null);
    let body = json!({"artifact": artifact, "rows": rows, "shown": rows.len(), "leads": leads, "hasMore": more});
    Ok(crate::reply::json(StatusCode::OK, &body))
}
