//! GET /api/pipelines/{runId}/failed-leads(.csv): the leads that failed, as they were, with the reason of each.
//!
//! The CSV has the columns that an upload is read by, so that it can be mended and sent in again.

use std::sync::Arc;

use futures::TryStreamExt;
use http::{HeaderValue, StatusCode, header};
use luci_engine::lead::line::FailedLine;
use luci_projections::artifacts::{self, Artifact, ArtifactFilter};
use luci_schema::{RunId, TenantId, migrate::tenant_tx};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use warp::{Reply, reply::Response};

use super::Answer;
use crate::{App, ask::Ask, caller::Caller, lead_row, problem::Problem, reads::run_exists, serve};

/// Artifacts that hold failed leads.
const TYPES: [&str; 2] = ["failed", "rejected"];
/// Leads of a page of the JSON answer.
const PAGE: u32 = 500;

/// The artifacts of a run's failed leads that no later attempt replaced, oldest first.
async fn sources(app: &App, tenant: TenantId, run: RunId) -> Result<Vec<Artifact>, Problem> {
    let mut tx = tenant_tx(&app.read_pool, tenant).await?;
    let mut found = Vec::new();
    for kind in TYPES {
        let mut filter = ArtifactFilter { artifact_type: Some(kind.into()), ..ArtifactFilter::default() };
        loop {
            let page = artifacts::page(&mut tx, tenant, run, &filter).await?;
            found.extend(page.artifacts.into_iter().filter(|a| a.superseded_by.is_none() && a.expired_at.is_none()));
            filter.cursor = page.next_cursor;
            if filter.cursor.is_none() {
                break;
            }
        }
    }
    found.sort_by_key(|artifact| artifact.artifact_id);
    Ok(found)
}

pub async fn json(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let (limit, offset) = (ask.limit(100, PAGE)? as usize, ask.query_as::<usize>("offset")?.unwrap_or(0));
    run_exists(&app, &caller, run).await?;
    let (mut leads, mut seen) = (Vec::new(), 0);
    'sources: for artifact in sources(&app, caller.tenant, run).await? {
        let mut lines = app.storage.read_lines(&artifact.object_path);
        while let Some(line) = lines.try_next().await? {
            seen += 1;
            if seen <= offset {
                continue;
            }
            if leads.len() == limit {
                break 'sources;
            }
            leads.push(read(&line)?);
        }
    }
    let more = seen > offset + leads.len();
    let body = json!({"failedLeads": leads, "offset": offset, "hasMore": more});
    Ok(serve::json(StatusCode::OK, &body))
}

fn read(line: &[u8]) -> Result<FailedLine, Problem> {
    serde_json::from_slice(line).map_err(|error| Problem::internal(&error))
}

pub async fn csv(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    run_exists(&app, &caller, run).await?;
    let sources = sources(&app, caller.tenant, run).await?;
    let (sender, receiver) = mpsc::channel::<Result<Vec<u8>, Broken>>(4);
    let writing = Arc::clone(&app);
    tokio::spawn(async move {
        if let Err(problem) = write(&writing, &sources, &sender).await {
            tracing::warn!(status = problem.status().as_u16(), "a download of failed leads broke off");
            // The answer has begun: breaking it off is the only way left to say so.
            let _ = sender.send(Err(Broken)).await;
        }
    });
    let mut response: Response = warp::reply::stream(ReceiverStream::new(receiver)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"failed-leads-{run}.csv\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The stream of rows could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("the download broke off")]
struct Broken;

async fn write(app: &App, sources: &[Artifact], sender: &mpsc::Sender<Result<Vec<u8>, Broken>>) -> Result<(), Problem> {
    let mut text = head();
    for artifact in sources {
        let mut lines = app.storage.read_lines(&artifact.object_path);
        while let Some(line) = lines.try_next().await? {
            row(&read(&line)?, &mut text);
            if text.len() > 64 << 10 && sender.send(Ok(std::mem::take(&mut text))).await.is_err() {
                return Ok(());
            }
        }
    }
    let _ = sender.send(Ok(text)).await;
    Ok(())
}

/// Columns of LUCI's own, before the lead's fields.
const OWN: [&str; 5] = ["failedLine", "failedCode", "failedReason", "failedField", "failedExpected"];

fn head() -> Vec<u8> {
    let mut text = Vec::new();
    let fields = luci_engine::lead::Field::ALL.iter().map(|field| field.as_str().to_owned());
    lead_row::write(fields.chain(OWN.map(str::to_owned)), &mut text);
    text
}

fn row(failed: &FailedLine, text: &mut Vec<u8>) {
    let field = failed.detail.as_ref().and_then(|detail| detail.field.clone()).unwrap_or_default();
    let expected = failed.detail.as_ref().and_then(|detail| detail.expected.clone()).unwrap_or_default();
    let own = [failed.line.to_string(), failed.code.as_str().to_owned(), failed.reason.clone(), field, expected];
    let fields = luci_engine::lead::Field::ALL.iter().map(|field| lead_row::cell(&failed.lead, *field));
    lead_row::write(fields.chain(own), text);
}
