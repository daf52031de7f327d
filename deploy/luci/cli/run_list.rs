//! `luci run list`: the newest runs, and what each waits for.

use url::form_urlencoded::byte_serialize;

use super::{Outcome, client::Api, out};
use crate::process::telemetry;

/// Prints a table, or the API response with `--json`.
pub async fn run(api: &Api, status: Option<&str>, limit: u32, json: bool) -> anyhow::Result<Outcome> {
    let escaped = |status: &str| byte_serialize(status.as_bytes()).collect::<String>();
    let status = status.map(|status| format!("&status={}", escaped(status))).unwrap_or_default();
    let page = api.get(&format!("/api/pipelines?limit={limit}{status}")).await?;
    if json {
        out::json(&page)?;
        return Ok(Outcome::Done);
    }
    let runs = page["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    if runs.is_empty() {
        telemetry::notice(format_args!("no runs"));
        return Ok(Outcome::Done);
    }
    out::line(&format!(
        "{:<30}  {:<9}  {:>4}  {:>9}  {:>9}  {:<20}  {}",
        "RUN", "STATUS", "DONE", "LEADS", "COST", "CREATED", "SECTOR"
    ))?;
    for run in runs {
        let text = |name: &str| out::escaped(run[name].as_str().unwrap_or("-"));
        let cost = run["costMicros"].as_u64().unwrap_or_default() as f64 / 1e6;
        let created: String = text("createdAt").chars().take(19).chain(['Z']).collect();
        out::line(&format!(
            "{}  {:<9}  {:>3}%  {:>9}  {:>9}  {created:<20}  {}",
            text("runId"),
            text("status"),
            run["progress"].to_string(),
            run["totalLeads"].to_string(),
            format!("${cost:.2}"),
            text("sectorName")
        ))?;
        if let Some(waiting) = run["waitingFor"]["message"].as_str() {
            out::line(&format!("{:<30}  {}", "", out::escaped(waiting)))?;
        }
    }
    Ok(Outcome::Done)
}
