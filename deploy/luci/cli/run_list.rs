//! `luci run list`: the newest runs, and what each waits for.

use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::{
    Outcome,
    client::Api,
    out::{self, Format, table::Column},
};

const COLUMNS: [Column; 9] = [
    Column::text("RUN", "runId"),
    Column::status("STATUS", "status"),
    Column::percent("DONE", "progress"),
    Column::number("LEADS", "totalLeads"),
    Column::money("COST", "costMicros"),
    Column::duration("DURATION", "durationMs"),
    Column::age("AGE", "createdAt"),
    Column::text("SECTOR", "sectorName"),
    Column::text("FILE", "pipelineName"),
];

pub async fn run(api: &Api, status: Option<&str>, limit: u32, format: Format) -> anyhow::Result<Outcome> {
    let escaped = |status: &str| byte_serialize(status.as_bytes()).collect::<String>();
    let status = status.map(|status| format!("&status={}", escaped(status))).unwrap_or_default();
    let page = api.get(&format!("/api/pipelines?limit={limit}{status}")).await?;
    let runs = page["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let outcome = format.list(&page, runs, &COLUMNS, "runs")?;
    if format.is_text() {
        waiting(runs)?;
    }
    Ok(outcome)
}

/// Below the table: a line for each run that waits.
fn waiting(runs: &[Value]) -> anyhow::Result<()> {
    for run in runs {
        if let (Some(id), Some(message)) = (run["runId"].as_str(), run["waitingFor"]["message"].as_str()) {
            out::line(&format!("{id}: {}", out::escaped(message)))?;
        }
    }
    Ok(())
}
