//! GET /api/pipelines/{runId}/artifacts and …/{artifactId}: what a run made; one is a redirect to its object, or a preview.

use std::{sync::Arc, time::Duration};

use futures::TryStreamExt;
use http::{HeaderValue, StatusCode, header};
use luci_engine::storage::{Storage, StorageError};
use luci_projections::artifacts::{self, Artifact, ArtifactFilter};
use luci_schema::{ArtifactId, RunId};
use serde_json::{Value, json};
use warp::reply::Response;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    problem::Problem,
    reads::{Reading, run_exists},
};

/// Lines of a preview, and the bytes of them, at most.
const PREVIEW_LINES: u32 = 200;
const PREVIEW_BYTES: usize = 1 << 20;

pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let filter =
        ArtifactFilter { artifact_type: ask.query("type"), cursor: ask.query("cursor"), limit: ask.limit(100, 100)? };
    run_exists(&app, &caller, run).await?;
    let mut reading = Reading::begin(&app, &caller, &ask).await?;
    let page = artifacts::page(&mut reading.tx, caller.tenant, run, &filter).await?;
    Ok(reading.answer(&page, page.position))
}

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let id: ArtifactId = ask.id(1, "artifact")?;
    let mut reading = Reading::begin(&app, &caller, &ask).await?;
    let artifact = artifacts::get(&mut reading.tx, caller.tenant, run, id).await?;
    let artifact = artifact.ok_or_else(|| Problem::not_found("artifact"))?;
    drop(reading);
    if artifact.expired_at.is_some() {
        return Err(Problem::new(StatusCode::GONE, "expired", "The object is gone")
            .detail("Retention removed it; its row and checksum stay."));
    }
    match ask.flag("preview") {
        true => preview(&app, &artifact, ask.limit(50, PREVIEW_LINES)?).await,
        false => redirect(&app.storage, &artifact).await,
    }
}

async fn redirect(storage: &Storage, artifact: &Artifact) -> Answer {
    let name = artifact.object_path.rsplit('/').next().unwrap_or("artifact.ndjson");
    // A short life: the address works without a key, and a new one is a click away.
    let signed = storage.download_url(&artifact.object_path, name, Duration::from_secs(3600)).await?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::FOUND;
    let location = HeaderValue::from_str(&signed.url).map_err(|error| Problem::internal(&error))?;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn preview(app: &App, artifact: &Artifact, limit: u32) -> Answer {
    let mut lines = app.storage.read_lines(&artifact.object_path);
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
    Ok(crate::serve::json(StatusCode::OK, &body))
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound(_) => Self::not_found("object"),
            StorageError::Key(_) | StorageError::Path(_) => Self::not_found("object"),
            error => Self::internal(&error),
        }
    }
}
