//! `GET /api/pipelines/{runId}/failed-leads.csv`: the failed leads in the columns of an upload, to be corrected and uploaded again.

use std::{collections::BTreeSet, sync::Arc};

use futures::TryStreamExt;
use luci_leads::{
    Field,
    failed_leads::{self, FailedLeadSource},
    lead::line::FailedLine,
    read::export_columns::ExportColumn,
};
use luci_schema::RunId;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reads::run_exists,
    reply,
    request::Request,
    routes::{HandlerResult, runs::lead_csv},
};

/// Bytes buffered before they are sent.
const CHUNK: usize = 64 << 10;

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    run_exists(&app, &caller, run).await?;
    let turn = app.heavy_reads.begin(caller.tenant).await?;
    let sources = app.failed_leads.of_run(caller.tenant, run).await?;
    let extra = extra_columns(&app, &sources).await?;
    // The rows go out as fast as the client reads them, a small object at a time.
    drop(turn);
    let (sender, receiver) = mpsc::channel::<Result<Vec<u8>, Interrupted>>(4);
    let writer_app = Arc::clone(&app);
    tokio::spawn(async move {
        if let Err(problem) = write(&writer_app, run, &sources, &extra, &sender).await {
            tracing::warn!(status = problem.status().as_u16(), run.id = %run, "export of failed leads interrupted");
            // The response has started: aborting it is the only way to report the error.
            let _ = sender.send(Err(Interrupted)).await;
        }
    });
    let name = format!("failed-leads-{run}.csv");
    Ok(reply::file(ReceiverStream::new(receiver), "text/csv; charset=utf-8", &name))
}

/// The rows could not be read to the end.
#[derive(Debug, thiserror::Error)]
#[error("export interrupted")]
struct Interrupted;

/// Columns of the uploaded file without a field; they are exported as they were.
async fn extra_columns(app: &App, sources: &[FailedLeadSource]) -> Result<Vec<String>, Problem> {
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
    sources: &[FailedLeadSource],
    extra: &[String],
    sender: &mpsc::Sender<Result<Vec<u8>, Interrupted>>,
) -> Result<(), Problem> {
    let mut text = lead_csv::BYTE_ORDER_MARK.to_vec();
    let fields = Field::ALL.iter().map(|field| field.as_str().to_owned());
    let own = ExportColumn::ALL.iter().map(|column| column.as_str().to_owned());
    lead_csv::write(fields.chain(extra.iter().cloned()).chain(own), &mut text);
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
    let fields = Field::ALL.iter().map(|field| lead_csv::cell(lead, *field));
    let extra = extra.iter().map(|header| lead.extra.get(header).cloned().unwrap_or_default());
    let own = ExportColumn::ALL.iter().map(|column| own_cell(run, failed, *column));
    lead_csv::write(fields.chain(extra).chain(own), text);
}

fn own_cell(run: RunId, failed: &FailedLine, column: ExportColumn) -> String {
    let detail = failed.detail.clone().unwrap_or_default();
    match column {
        ExportColumn::Run => run.to_string(),
        ExportColumn::Lead => failed.lead_id.to_string(),
        ExportColumn::Row => failed.row.to_string(),
        ExportColumn::FailedLine => failed.line.to_string(),
        ExportColumn::FailedCode => failed.code.as_str().to_owned(),
        ExportColumn::FailedReason => failed.reason.clone(),
        ExportColumn::FailedField => detail.field.unwrap_or_default(),
        ExportColumn::FailedExpected => detail.expected.or(detail.provider_message).unwrap_or_default(),
    }
}
