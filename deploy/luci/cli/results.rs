//! `luci results`: what a run produced: counts, files, messages, and where its leads are.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{
    Outcome,
    client::Api,
    download, ids,
    out::{self, Format},
};
use crate::config::Config;

#[derive(Debug, Args)]
pub struct Results {
    /// Its id, or the beginning of it
    #[arg(value_name = "RUN")]
    run: String,
    /// Write every lead of the run to standard output, or to the file of --to
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["output", "json"])]
    leads: Option<Leads>,
    /// File for --leads
    #[arg(long, value_name = "FILE", requires = "leads")]
    to: Option<std::path::PathBuf>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Leads {
    Csv,
    Ndjson,
}

impl Results {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        let run = ids::run(&api, &self.run).await?;
        if let Some(format) = self.leads {
            let ending = if format == Leads::Csv { "csv" } else { "ndjson" };
            let path = format!("/api/pipelines/{run}/results.{ending}");
            return download::to(&api, &path, self.to.as_deref()).await;
        }
        let detail = api.get(&format!("/api/pipelines/{run}")).await?;
        let messages = messages(&api, &run).await?;
        let results = json!({"run": detail["run"], "stages": detail["stages"], "messages": messages});
        self.format.one(&results, || text(&run, &detail, &messages))
    }
}

/// Messages of the run by status. Reads at most 1,000.
async fn messages(api: &Api, run: &str) -> anyhow::Result<Value> {
    let (mut counts, mut cursor, mut read) = (serde_json::Map::new(), String::new(), 0);
    loop {
        let page = api.get(&format!("/api/messages?runId={run}&limit=100{cursor}")).await?;
        for message in page["messages"].as_array().into_iter().flatten() {
            let status = message["status"].as_str().unwrap_or_default().to_owned();
            let count = counts.get(&status).and_then(Value::as_u64).unwrap_or_default();
            counts.insert(status, json!(count + 1));
            read += 1;
        }
        match page["nextCursor"].as_str() {
            Some(next) if read < 1_000 => cursor = format!("&cursor={next}"),
            more => return Ok(json!({"byStatus": counts, "more": more.is_some()})),
        }
    }
}

fn text(run: &str, detail: &Value, messages: &Value) -> String {
    let one = &detail["run"];
    let word = |value: &Value| out::escaped(value.as_str().unwrap_or("-"));
    let micros = one["costMicros"].as_u64().unwrap_or_default();
    let duration = one["durationMs"].as_f64().map_or_else(|| "-".to_owned(), |ms| out::table::duration(ms / 1e3));
    let mut lines = vec![
        format!("{run} {}: {}", word(&one["status"]), word(&one["pipelineName"])),
        format!(
            "  {} leads, {} left the pipeline, ${:.2}, {duration}",
            one["totalLeads"],
            one["processedLeads"],
            micros as f64 / 1e6
        ),
        String::new(),
    ];
    for stage in detail["stages"].as_array().into_iter().flatten() {
        let count = |name: &str| stage["metrics"][name].as_u64().unwrap_or_default();
        lines.push(format!(
            "  {:<11} {:>8} in {:>8} out {:>7} no match {:>7} failed {:>7} skipped",
            word(&stage["name"]),
            count("inputCount"),
            stage["outputCount"].as_u64().unwrap_or_default(),
            count("noMatchCount"),
            count("failedCount"),
            count("skippedCount")
        ));
    }
    lines.push(String::new());
    lines.extend(message_lines(run, messages));
    lines.extend([
        format!("  all leads:    luci results {run} --leads csv --to results.csv"),
        format!("  failed leads: luci run failed-leads {run} > corrected.csv"),
        format!("  files:        luci artifact list {run}"),
    ]);
    lines.join("\n")
}

fn message_lines(run: &str, messages: &Value) -> Vec<String> {
    let counts = messages["byStatus"].as_object();
    let words: Vec<String> = counts.into_iter().flatten().map(|(status, count)| format!("{count} {status}")).collect();
    if words.is_empty() {
        return vec!["  no messages were queued".to_owned()];
    }
    let more = if messages["more"] == true { " of the first 1,000" } else { "" };
    let mut lines = vec![format!("  messages{more}: {}", words.join(", "))];
    if counts.is_some_and(|counts| counts.contains_key("draft")) {
        lines.push(format!("  drafts are not sent before a person approves them: luci message approve --run {run}"));
    }
    lines
}
