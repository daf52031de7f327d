//! `GET /api/pipelines/{runId}/bundle`: the history of a run with its seals, as a file that proves itself (`luci-history/2`).

use std::sync::Arc;

use luci_config::{Role, history_reads};
use luci_schema::{
    RunId,
    history::{BundleReader, ExportError, Scope},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    if caller.role == Role::Auditor {
        let mut c = app.engine_pool.acquire().await?;
        history_reads::add(&mut c, caller.tenant, caller.actor, run.into(), "bundle").await?;
    }
    let scope = Scope::Stream { stream: run.into(), tenant: caller.tenant };
    let mut reader = BundleReader::open(app.log.clone(), scope).await.map_err(problem)?;
    let (sender, receiver) = mpsc::channel::<Result<String, ExportError>>(4);
    tokio::spawn(async move {
        loop {
            // A turn for each page: a slow client would hold it for as long as it reads.
            let turn = app.heavy_reads.wait(caller.tenant).await;
            let lines = reader.next().await.transpose();
            drop(turn);
            let Some(lines) = lines else { return };
            // The response has started: aborting it is the only way to report the error.
            let interrupted = lines.as_ref().err().map(ToString::to_string);
            if sender.send(lines).await.is_err() || interrupted.is_some() {
                tracing::warn!(error = interrupted, run.id = %run, "export of a history interrupted");
                return;
            }
        }
    });
    let name = format!("{run}.history.ndjson");
    Ok(reply::file(ReceiverStream::new(receiver), "application/x-ndjson", &name))
}

fn problem(error: ExportError) -> Problem {
    match error {
        ExportError::Empty => Problem::not_found("run"),
        ExportError::Log(error) => error.into(),
        ExportError::Json(error) => Problem::internal(&error),
    }
}
