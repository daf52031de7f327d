//! GET /api/pipelines/{runId}/failed-leads: the leads that failed and were not mended since, with the reason of each.

use std::{collections::BTreeMap, sync::Arc};

use futures::TryStreamExt;
use http::StatusCode;
use luci_engine::failed_leads::{self, Source};
use luci_schema::RunId;
use serde_json::{Value, json};

use super::Answer;
use crate::{App, ask::Ask, caller::Caller, problem::Problem, reads::run_exists, serve};

/// Leads of a page.
const PAGE: u32 = 500;

pub async fn json(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let (limit, offset) = (ask.limit(100, PAGE)? as usize, ask.query_as::<u64>("offset")?.unwrap_or(0));
    run_exists(&app, &caller, run).await?;
    let sources = app.failed_leads.of_run(caller.tenant, run).await?;
    let total: u64 = sources.iter().map(Source::leads).sum();
    let leads = page(&app, &sources, offset, limit).await?;
    let more = offset + (leads.len() as u64) < total;
    let mut body = json!({"failedLeads": leads, "offset": offset, "hasMore": more, "total": total});
    if ask.flag("summary") {
        let (codes, reasons) = counts(&app, &sources).await?;
        body["codes"] = json!(codes);
        body["reasons"] = json!(reasons);
    }
    Ok(serve::json(StatusCode::OK, &body))
}

async fn page(app: &App, sources: &[Source], offset: u64, limit: usize) -> Result<Vec<Value>, Problem> {
    let (mut leads, mut before) = (Vec::new(), 0);
    for source in sources {
        let first = before;
        before += source.leads();
        // Whole sources in front of the page are not read.
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

type Sums = BTreeMap<String, u64>;

/// Failed leads by code and by reason: each source is read through.
async fn counts(app: &App, sources: &[Source]) -> Result<(Sums, Sums), Problem> {
    let (mut codes, mut reasons) = (Sums::new(), Sums::new());
    for source in sources {
        let mut lines = failed_leads::lines(&app.storage, source);
        while let Some(line) = lines.try_next().await? {
            *codes.entry(line.code.as_str().to_owned()).or_default() += 1;
            *reasons.entry(line.reason).or_default() += 1;
        }
    }
    Ok((codes, reasons))
}
