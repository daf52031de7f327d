//! GET /api/pipelines/{runId}/failed-leads.csv: the failed leads in the columns that an upload is read by, so that they can
//! be mended and sent in again. Three columns of LUCI's own say which lead of which run each row is.

use std::{collections::BTreeSet, sync::Arc};

use futures::TryStreamExt;
use http::{HeaderValue, header};
use luci_engine::{
    failed_leads::{self, Source},
    lead::{Field, line::FailedLine, lineage::Own},
};
use luci_schema::RunId;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use warp::{Reply, reply::Response};

use super::Answer;
use crate::{App, ask::Ask, caller::Caller, lead_row, problem::Problem, reads::run_exists};

/// Bytes that are sent at once.
const CHUNK: usize = 64 << 10;

pub async fn csv(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    run_exists(&app, &caller, run).await?;
    let sources = app.failed_leads.of_run(caller.tenant, run).await?;
    let extra = extra_columns(&app, &sources).await?;
    let (sender, receiver) = mpsc::channel::<Result<Vec<u8>, Broken>>(4);
    let writing = Arc::clone(&app);
    tokio::spawn(async move {
        if let Err(problem) = write(&writing, run, &sources, &extra, &sender).await {
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

/// Headers of the uploaded file that no field is mapped to: they come back with their cells.
async fn extra_columns(app: &App, sources: &[Source]) -> Result<Vec<String>, Problem> {
    let mut found = BTreeSet::new();
    for source in sources {
        let mut lines = failed_leads::lines(&app.storage, source);
        while let Some(line) = lines.try_next().await? {
            for header in line.lead.extra.into_keys() {
                found.insert(header);
            }
        }
    }
    Ok(found.into_iter().collect())
}

async fn write(
    app: &App,
    run: RunId,
    sources: &[Source],
    extra: &[String],
    sender: &mpsc::Sender<Result<Vec<u8>, Broken>>,
) -> Result<(), Problem> {
    let mut text = Vec::new();
    let fields = Field::ALL.iter().map(|field| field.as_str().to_owned());
    let own = Own::ALL.iter().map(|column| column.as_str().to_owned());
    lead_row::write(fields.chain(extra.iter().cloned()).chain(own), &mut text);
    for source in sources {
        let mut lines = failed_leads::lines(&app.storage, source);
        while let Some(line) = lines.try_next().await? {
            row(run, &line, extra, &mut text);
            if text.len() > CHUNK && sender.send(Ok(std::mem::take(&mut text))).await.is_err() {
                return Ok(());
            }
        }
    }
    let _ = sender.send(Ok(text)).await;
    Ok(())
}

fn row(run: RunId, failed: &FailedLine, extra: &[String], text: &mut Vec<u8>) {
    let lead = &failed.lead;
    let fields = Field::ALL.iter().map(|field| lead_row::cell(lead, *field));
    let extra = extra.iter().map(|header| lead.extra.get(header).cloned().unwrap_or_default());
    let own = Own::ALL.iter().map(|column| own_cell(run, failed, *column));
    lead_row::write(fields.chain(extra).chain(own), text);
}

fn own_cell(run: RunId, failed: &FailedLine, column: Own) -> String {
    let detail = failed.detail.clone().unwrap_or_default();
    match column {
        Own::Run => run.to_string(),
        Own::Lead => failed.lead_id.to_string(),
        Own::Row => failed.row.to_string(),
        Own::FailedLine => failed.line.to_string(),
        Own::FailedCode => failed.code.as_str().to_owned(),
        Own::FailedReason => failed.reason.clone(),
        Own::FailedField => detail.field.unwrap_or_default(),
        Own::FailedExpected => detail.expected.or(detail.said).unwrap_or_default(),
    }
}
