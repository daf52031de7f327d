//! `GET /api/pipelines/{runId}/failed-leads`: the leads that failed and were not corrected since, each with its reason.

use std::{collections::BTreeMap, sync::Arc};

use futures::TryStreamExt;
use http::StatusCode;
use luci_leads::failed_leads::{self, FailedLeadSource};
use luci_schema::RunId;
use serde_json::{Value, json};

use crate::{App, caller::Caller, problem::Problem, reads::run_exists, reply, request::Request, routes::HandlerResult};

/// Leads of a page, at most.
const MAX_PAGE: u32 = 500;

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let (limit, offset) = (request.limit(100, MAX_PAGE)? as usize, request.query_as::<u64>("offset")?.unwrap_or(0));
    run_exists(&app, &caller, run).await?;
    let _turn = app.heavy_reads.begin(caller.tenant).await?;
    let sources = app.failed_leads.of_run(caller.tenant, run).await?;
    let total: u64 = sources.iter().map(FailedLeadSource::leads).sum();
    let leads = page(&app, &sources, offset, limit).await?;
    let more = offset + (leads.len() as u64) < total;
    let mut body = json!({"failedLeads": leads, "offset": offset, "hasMore": more, "total": total});
    if request.query_flag("summary") {
        let (codes, reasons) = counts(&app, &sources).await?;
        body["codes"] = json!(codes);
        body["reasons"] = json!(reasons);
    }
    Ok(reply::json(StatusCode::OK, &body))
}

async fn page(app: &App, sources: &[FailedLeadSource], offset: u64, limit: usize) -> Result<Vec<Value>, Problem> {
    let (mut leads, mut before) = (Vec::new(), 0);
    for source in sources {
        let first = before;
        before += source.leads();
        // Sources that end before the page are skipped unread.
        if before <= offset {
            continue;
        }
        let (mut at, mut lines) = (first, failed_leads::lines(&app.storage, source));
        while let Some(line) = lines.try_next().await? {
            at += 1;
            if at <= offset {
                continue;
            }
            if leads.len() == limit {
                return Ok(leads);
            }
            leads.push(serde_json::to_value(&line).map_err(|error| Problem::internal(&error))?);
        }
    }
    Ok(leads)
}

type Counts = BTreeMap<String, u64>;

/// Failed leads by code and by reason. Reads every source.
async fn counts(app: &App, sources: &[FailedLeadSource]) -> Result<(Counts, Counts), Problem> {
    let (mut codes, mut reasons) = (Counts::new(), Counts::new());
    for source in sources {
        let mut lines = failed_leads::lines(&app.storage, source);
        while let Some(line) = lines.try_next().await? {
            *codes.entry(line.code.as_str().to_owned()).or_default() += 1;
            *reasons.entry(line.reason).or_default() += 1;
        }
    }
    Ok((codes, reasons))
}
