//! `GET /api/pipelines/{runId}/results.csv` and `results.ndjson`: every lead that came out of the last stage, then those that failed.

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use luci_leads::{
    failed_leads::{self, FailedLeadSource},
    lead::line,
    results,
};
use luci_schema::{RunId, event::Artifact};
use luci_storage::{Storage, StorageError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reads::run_exists,
    reply,
    request::Request,
    routes::{
        HandlerResult,
        runs::{
            lead_csv,
            results::columns::{ResultLead, csv_header},
        },
    },
};

/// Bytes buffered before they are sent.
const CHUNK: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Ndjson,
}

pub async fn csv(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    handle(app, caller, request, Format::Csv).await
}

pub async fn ndjson(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    handle(app, caller, request, Format::Ndjson).await
}

/// Where the leads are stored.
struct Sources {
    outputs: Vec<Artifact>,
    failed: Vec<FailedLeadSource>,
}

async fn handle(app: Arc<App>, caller: Caller, request: Request, format: Format) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    run_exists(&app, &caller, run).await?;
    let turn = app.heavy_reads.begin(caller.tenant).await?;
    let sources = Sources {
        outputs: results::outputs(&app.log, caller.tenant, run).await?,
        failed: app.failed_leads.of_run(caller.tenant, run).await?,
    };
    let mut head = Vec::new();
    let mut extra = Vec::new();
    if format == Format::Csv {
        extra = extra_columns(&app.storage, &sources).await?;
        head.extend_from_slice(lead_csv::BYTE_ORDER_MARK);
        csv_header(&extra, &mut head);
    }
    // The rows go out as fast as the client reads them, a small object at a time.
    drop(turn);
    let (sender, receiver) = mpsc::channel::<Result<Vec<u8>, Interrupted>>(4);
    tokio::spawn(async move {
        if let Err(error) = write(&app.storage, &sources, format, &extra, head, &sender).await {
            tracing::warn!(%error, run.id = %run, "export of results interrupted");
            // The response has started: aborting it is the only way to report the error.
            let _ = sender.send(Err(Interrupted)).await;
        }
    });
    let (media_type, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    Ok(reply::file(ReceiverStream::new(receiver), media_type, &format!("results-{run}.{ending}")))
}

/// The rows could not be read to the end.
#[derive(Debug, thiserror::Error)]
#[error("export interrupted")]
struct Interrupted;

fn leads<'a>(storage: &'a Storage, sources: &'a Sources) -> BoxStream<'a, Result<ResultLead, StorageError>> {
    let out = futures::stream::iter(&sources.outputs).flat_map(|artifact| {
        let lines = storage.verified_lines(&artifact.object_path, &artifact.digest());
        lines.map(|text| Ok(ResultLead::Out(line::read(&text?)?)))
    });
    let failed = futures::stream::iter(&sources.failed)
        .flat_map(|source| failed_leads::lines(storage, source).map_ok(ResultLead::Failed));
    out.chain(failed).boxed()
}

/// Columns of the uploaded file without a field; they are exported as they were.
async fn extra_columns(storage: &Storage, sources: &Sources) -> Result<Vec<String>, Problem> {
    let mut found = BTreeSet::new();
    let mut leads = leads(storage, sources);
    while let Some(lead) = leads.try_next().await? {
        found.extend(lead.into_lead().extra.into_keys());
    }
    Ok(found.into_iter().collect())
}

async fn write(
    storage: &Storage,
    sources: &Sources,
    format: Format,
    extra: &[String],
    mut text: Vec<u8>,
    sender: &mpsc::Sender<Result<Vec<u8>, Interrupted>>,
) -> Result<(), StorageError> {
    let mut leads = leads(storage, sources);
    while let Some(lead) = leads.try_next().await? {
        match format {
            Format::Csv => lead.csv(extra, &mut text),
            Format::Ndjson => {
                serde_json::to_writer(&mut text, &lead.json())?;
                text.push(b'\n');
            }
        }
        if text.len() > CHUNK && sender.send(Ok(std::mem::take(&mut text))).await.is_err() {
            return Ok(());
        }
    }
    let _ = sender.send(Ok(text)).await;
    Ok(())
}
