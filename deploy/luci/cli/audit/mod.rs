//! `luci audit`: shows a run's history and states, verifies them, and compares the read tables with the log.

pub mod all;
mod diff;
mod drift;
mod export;
pub mod seals;
mod verify;
pub mod witnesses;

use clap::Subcommand;
use luci_schema::StreamId;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use url::form_urlencoded::byte_serialize;

use super::{
    Outcome, UsageError,
    client::{Api, ApiError},
    ids,
    out::{self, Format, table::Column},
    watch,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Show every event of a run or of another stream (import, key, automation, webhook, tenant), in order
    History {
        /// A run's may be the beginning of it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        format: Format,
    },
    /// Show a run as it was at a version, a position or a time
    State {
        /// Its id, or the beginning of it
        #[arg(value_name = "RUN")]
        run: String,
        /// v143, p90210 or 2026-11-22T20:54:01Z [default: now]
        #[arg(long, value_name = "MOMENT", value_parser = moment)]
        at: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Compare two states of a run, or two runs
    Diff(diff::Diff),
    /// Verify a run, an exported file, or with --all everything as operator; exit code 1 when something is wrong
    Verify(verify::Verify),
    /// Export the history of a run, a tenant or a range of positions as a file that can be verified offline
    Export(export::Export),
    /// Verify the log against its seals in the database and the store, as operator; exit code 1 when one does not match
    Seals(seals::Seals),
    /// Compare the read tables with a fresh fold of the log, as operator; exit code 1 when they differ
    Drift(drift::Drift),
}

impl Audit {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        match self {
            Self::History { id, format } => history(&Api::find(config)?, &id, format).await,
            Self::State { run, at, format } => show(&Api::find(config)?, &run, at.as_deref(), format).await,
            Self::Diff(diff) => diff.run(&Api::find(config)?).await,
            Self::Verify(verify) => verify.run(config).await,
            Self::Export(export) => export.run(config).await,
            Self::Seals(seals) => seals.run(config).await,
            Self::Drift(drift) => drift.run(config).await,
        }
    }
}

/// A page of a run's events, each as the bytes that the gateway sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    next_cursor: Option<String>,
}

/// Of an event, in CSV.
const COLUMNS: [Column; 8] = [
    Column::number("", "version"),
    Column::number("", "position"),
    Column::time("", "recordedAt"),
    Column::text("", "type"),
    Column::text("", "actor"),
    Column::text("", "eventId"),
    Column::text("", "previousHash"),
    Column::text("", "hash"),
];

/// `v143`, `p90210`, or a time; the API checks whether the run has it.
fn moment(text: &str) -> Result<String, String> {
    let number = |kind| text.strip_prefix(kind).is_some_and(|digits: &str| digits.parse::<u64>().is_ok());
    let time = || time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).is_ok();
    if number('v') || number('p') || time() {
        return Ok(text.to_owned());
    }
    Err("expected a version (v143), a position (p90210) or a time (2026-11-22T20:54:01Z)".to_owned())
}

async fn history(api: &Api, id: &str, format: Format) -> anyhow::Result<Outcome> {
    let stream = match id.parse::<StreamId>() {
        Ok(stream) => stream.to_string(),
        Err(_) => ids::run(api, id).await?,
    };
    let mut cursor = String::new();
    if format.is_csv() {
        let titles: Vec<String> = COLUMNS.iter().map(Column::csv_title).collect();
        out::line(&titles.join(","))?;
    }
    loop {
        let text = api.get_text(&format!("/api/streams/{stream}/events?limit=500{cursor}")).await?;
        let page: Page = serde_json::from_str(&text)?;
        for event in page.events.into_iter().map(RawValue::get) {
            if format.is_json() {
                out::line(event)?;
                continue;
            }
            let event: Value = serde_json::from_str(event)?;
            if format.is_csv() { out::table::csv_rows(&COLUMNS, &[event])? } else { out::line(&as_text(&event))? }
        }
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(Outcome::Done),
        }
    }
}

fn as_text(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
    let data = &event["data"];
    let block = ["stage", "blockNumber"].iter().filter_map(|name| match &data[*name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    });
    let block = block.collect::<Vec<_>>().join(" ");
    let hash: String = text("hash").chars().take(12).collect();
    let at = event["recordedAt"].as_str().map_or_else(|| event["recordedAtMicros"].to_string(), str::to_owned);
    format!("v{:<5} {:<27}  {:<16} {block:<14} {:<34} {hash}", event["version"], at, text("type"), text("actor"))
}

/// The run's detail: the current one, or that of a moment.
async fn state(api: &Api, run: &str, at: Option<&str>) -> anyhow::Result<Value> {
    let at = at.map(|at| format!("?asOf={}", byte_serialize(at.as_bytes()).collect::<String>())).unwrap_or_default();
    api.get(&format!("/api/pipelines/{run}{at}")).await.map_err(|error| match error.downcast_ref::<ApiError>() {
        // The moment was well formed, but the run does not have it.
        Some(refused) if refused.status == 422 && !at.is_empty() => UsageError(refused.detailed()).into(),
        _ => error,
    })
}

async fn show(api: &Api, run: &str, at: Option<&str>, format: Format) -> anyhow::Result<Outcome> {
    let state = state(api, &ids::run(api, run).await?, at).await?;
    if !format.is_text() {
        return format.one(if format.is_csv() { &state["run"] } else { &state }, String::new);
    }
    let (version, position) = (&state["run"]["version"], &state["position"]);
    out::line(&format!("version {version}, position {position}"))?;
    out::line(&watch::as_text(&serde_json::from_value(state)?))?;
    Ok(Outcome::Done)
}
