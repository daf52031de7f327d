//! Follows a run: progress bars on a terminal, a line for each change elsewhere, or lines of JSON; and a summary at the end.

mod bars;

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};

use self::bars::Bars;
use super::{
    Outcome,
    client::{Api, ApiError},
    out::{self, Format},
};
use crate::process::telemetry;

/// A run and its stages, as the API returns them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    pub run: Run,
    pub stages: Vec<Stage>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub run_id: String,
    pub status: String,
    pub total_leads: u64,
    pub processed_leads: u64,
    pub duration_ms: Option<u64>,
    pub cost_micros: u64,
    pub version: u64,
    pub position: u64,
    pub error: Value,
    #[serde(default)]
    pub current_stage: Option<String>,
    #[serde(default)]
    pub waiting_for: Option<WaitingMessage>,
}

/// What the run waits for, as a sentence.
#[derive(Debug, Clone, Deserialize)]
pub struct WaitingMessage {
    pub message: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    pub name: String,
    pub total_blocks: Option<u64>,
    pub blocks: Blocks,
    pub metrics: Metrics,
    pub output_count: u64,
    #[serde(default)]
    pub provider: Option<String>,
    #[serde(default)]
    pub cost_micros: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Blocks {
    pub completed: u64,
    pub failed: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    pub input_count: u64,
    pub success_count: u64,
    pub no_match_count: u64,
    pub failed_count: u64,
    pub skipped_count: u64,
}

impl Run {
    /// Whether the run is completed, failed or cancelled.
    pub fn ended(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "cancelled")
    }

    pub fn completed(&self) -> bool {
        self.status == "completed"
    }
}

impl Detail {
    pub async fn get(api: &Api, run: &str) -> anyhow::Result<Self> {
        Ok(serde_json::from_value(api.get(&format!("/api/pipelines/{run}")).await?)?)
    }

    /// Status, leads per stage, events, cost and duration, for scripts.
    pub fn summary(&self) -> Value {
        let run = &self.run;
        let stages: BTreeMap<&str, Value> =
            self.stages.iter().map(|stage| (stage.name.as_str(), stage.leads())).collect();
        json!({"runId": run.run_id, "status": run.status, "totalLeads": run.total_leads,
            "processedLeads": run.processed_leads, "stages": stages, "events": run.version, "position": run.position,
            "durationMs": run.duration_ms, "costMicros": run.cost_micros, "error": run.error})
    }
}

impl Stage {
    fn leads(&self) -> Value {
        let Metrics { input_count, success_count, no_match_count, failed_count, skipped_count } = self.metrics;
        json!({"input": input_count, "success": success_count, "noMatch": no_match_count, "failed": failed_count,
            "skipped": skipped_count, "output": self.output_count, "blocks": self.blocks.completed})
    }
}

/// Interval between two polls of a run: a fiftieth of the time since the first one, within these bounds. Polling a run of
/// many minutes more often would cost noticeable CPU time.
const POLL_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(1);

/// What is printed while a run is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Bars on a terminal, a line for each change elsewhere; on standard error.
    Bars,
    /// A line of JSON for each change.
    Json,
    Nothing,
}

/// Follows a run and prints its summary at the end.
pub async fn to_end(api: &Api, run: &str, format: Format) -> anyhow::Result<Outcome> {
    let show = if format.is_json() { Show::Json } else { Show::Bars };
    let Some(detail) = out::StopSignals::listen()?.or(until_ended(api, run, show)).await? else {
        telemetry::notice(format_args!("interrupted; the run continues: luci run watch {run}"));
        return Ok(Outcome::Interrupted);
    };
    if !format.is_json() {
        format.one(&detail.summary(), || as_text(&detail))?;
    }
    Ok(if detail.run.completed() { Outcome::Done } else { Outcome::Failed })
}

/// Follows the run until it has ended, and returns its last state.
pub async fn until_ended(api: &Api, run: &str, show: Show) -> anyhow::Result<Detail> {
    let bars = (show == Show::Bars && std::io::stderr().is_terminal()).then(Bars::new);
    let mut lines = (show == Show::Bars && bars.is_none()).then(Lines::default);
    let (mut seen_version, mut away) = (0, false);
    let started = Instant::now();
    loop {
        let interval = (started.elapsed() / 50).clamp(*POLL_INTERVAL.start(), *POLL_INTERVAL.end());
        let detail = match Detail::get(api, run).await {
            // The read tables may not contain a run that was just started.
            Err(error) if seen_version == 0 && is_not_found(&error) => {
                tokio::time::sleep(interval).await;
                continue;
            }
            // The gateway restarts, or is unavailable for a while: the run continues without it.
            Err(error) if seen_version > 0 && !error.is::<ApiError>() => {
                if !std::mem::replace(&mut away, true) {
                    telemetry::notice(format_args!("the gateway does not respond, trying again: {error:#}"));
                }
                tokio::time::sleep(*POLL_INTERVAL.end()).await;
                continue;
            }
            detail => detail?,
        };
        away = false;
        // The gateway folds a run from the log until its read tables have it, and they may be behind that: what was shown
        // does not go back.
        if detail.run.version < seen_version {
            tokio::time::sleep(interval).await;
            continue;
        }
        if show == Show::Json && detail.run.version != seen_version {
            out::json(&detail.summary())?;
        }
        seen_version = detail.run.version.max(1);
        if let Some(bars) = &bars {
            bars.show(&detail);
        }
        if let Some(lines) = &mut lines {
            lines.show(&detail, started.elapsed());
        }
        if detail.run.ended() {
            return Ok(detail);
        }
        tokio::time::sleep(interval).await;
    }
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ApiError>().is_some_and(|error| error.status == 404)
}

/// One line for each change of status, stage or reason to wait, where there is no terminal.
#[derive(Default)]
struct Lines {
    last: Option<(String, Option<String>, Option<String>)>,
}

impl Lines {
    fn show(&mut self, detail: &Detail, elapsed: Duration) {
        let run = &detail.run;
        let waiting = run.waiting_for.as_ref().map(|waiting| waiting.message.clone());
        let now = (run.status.clone(), run.current_stage.clone(), waiting);
        if self.last.as_ref() == Some(&now) {
            return;
        }
        let (status, stage, waiting) = &now;
        let stage = stage.as_ref().map_or_else(String::new, |stage| format!(" {stage}"));
        let waiting = waiting.as_ref().map_or_else(String::new, |waiting| format!(": {waiting}"));
        let (done, all, dollars) = (run.processed_leads, run.total_leads, run.cost_micros as f64 / 1e6);
        telemetry::notice(format_args!(
            "{:>5} s  {status}{stage}, {done} of {all} leads, ${dollars:.2}{waiting}",
            elapsed.as_secs()
        ));
        self.last = Some(now);
    }
}

/// The run as text: one line for the run, one for each stage, and its error.
pub fn as_text(detail: &Detail) -> String {
    let run = &detail.run;
    let mut lines = vec![format!(
        "{} {}: {} leads in {:.1} s, {} events",
        run.run_id,
        run.status,
        run.total_leads,
        f64::from(u32::try_from(run.duration_ms.unwrap_or(0)).unwrap_or(u32::MAX)) / 1_000.0,
        run.version
    )];
    for stage in &detail.stages {
        let Metrics { input_count, success_count, no_match_count, failed_count, skipped_count } = stage.metrics;
        lines.push(format!(
            "  {:<11} {input_count:>8} in  {success_count:>8} success {no_match_count:>7} no match \
             {failed_count:>7} failed {skipped_count:>7} skipped",
            stage.name
        ));
    }
    if let Some(message) = run.error["message"].as_str() {
        lines.push(format!("  {message}"));
    }
    if let Some(waiting) = &run.waiting_for {
        lines.push(format!("  {}", waiting.message));
    }
    lines.join("\n")
}
