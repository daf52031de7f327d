//! `luci run start`, `luci run estimate`: what a run reads, and its options.

use clap::Args;
use serde_json::{Value, json};

use super::{Outcome, client::Api, ids, out::Format, run_options::Options, watch};
use crate::process::telemetry;

/// What a run reads: one of these, or both.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Input {
    /// Leads of an import: its id, or the beginning of it
    #[arg(long, value_name = "IMPORT")]
    import: Option<String>,
    /// Members of a sector, or where the leads of the import belong: its id or slug
    #[arg(long, value_name = "SECTOR")]
    sector: Option<String>,
}

#[derive(Debug, Args)]
pub struct Start {
    #[command(flatten)]
    input: Input,
    /// Its id, or the beginning of it [default: the tenant's luci_full]
    #[arg(long, value_name = "BLUEPRINT")]
    blueprint: Option<String>,
    /// Name of the run, for lists [default: the name of the import's file, or of the blueprint]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Start it although a run was started on the same file before
    #[arg(long)]
    allow_repeat: bool,
    #[command(flatten)]
    pub options: Options,
    /// Follow it to its end; exit code 1 unless it completes
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    format: Format,
    /// Idempotency key: the same key and options again start no new run
    #[arg(long, value_name = "KEY")]
    once: Option<String>,
}

impl Start {
    /// With whole ids, and the name of the import's file.
    pub async fn found(mut self, api: &Api) -> anyhow::Result<Self> {
        if let Some(blueprint) = &self.blueprint {
            self.blueprint = Some(ids::of(api, ids::BLUEPRINT, blueprint).await?);
        }
        if let Some(import) = &self.input.import {
            let import = ids::of(api, ids::IMPORT, import).await?;
            if self.name.is_none() {
                self.name = import_name(&api.get(&format!("/api/imports/{import}")).await?).map(str::to_owned);
            }
            self.input.import = Some(import);
        }
        Ok(self)
    }

    fn body(&self) -> Value {
        let mut body = json!({"options": self.options.body(), "allowRepeat": self.allow_repeat});
        let Input { import, sector } = &self.input;
        let words = [("importId", import), ("sectorId", sector)];
        let words = words.into_iter().chain([("blueprintId", &self.blueprint), ("pipelineName", &self.name)]);
        for (name, value) in words {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        body
    }

    pub async fn estimate(self, api: &Api) -> anyhow::Result<Outcome> {
        let estimate = api.post("/api/pipelines/estimate", &self.body()).await?;
        self.format.one(&estimate, || estimate_text(&estimate))
    }

    pub async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let body = self.body();
        let run = start(api, &body, self.once.as_deref()).await?;
        if !self.watch {
            return self.format.one(&json!({"runId": run}), || run.clone());
        }
        watch::to_end(api, &run, self.format).await
    }
}

/// The name under which lists show a run on this import, if it is short enough.
pub fn import_name(import: &Value) -> Option<&str> {
    import["fileName"].as_str().filter(|name| (1..=200).contains(&name.chars().count()))
}

/// Leads, cost and duration, and a line for each provider that has no key.
pub fn estimate_text(estimate: &Value) -> String {
    let (cost, seconds) = (&estimate["cost"], &estimate["duration"]["seconds"]);
    let dollars = |name: &str| cost[name].as_u64().unwrap_or_default() as f64 / 1e6;
    let (low, high, max) = (dollars("lowMicros"), dollars("highMicros"), dollars("mostMicros"));
    let (leads, runs) = (&estimate["leads"], &estimate["basis"]["runs"]);
    let mut text =
        format!("{leads} leads, ${low:.2} to ${high:.2} (at most ${max:.2}), {seconds} s; from {runs} earlier runs");
    for missing in estimate["missingProviders"].as_array().into_iter().flatten() {
        let word = |name: &str| missing[name].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!("\n{} needs {}: {}", word("stage"), word("provider"), word("remedy")));
    }
    for line in limit_lines(estimate) {
        text.push_str(&format!("\n{line}"));
    }
    text
}

/// A line for each daily limit that the run reaches, of an estimate or of the answer of a start.
fn limit_lines(answer: &Value) -> Vec<String> {
    let line = |limit: &Value| {
        let (stage, provider) = (limit["stage"].as_str().unwrap_or("-"), limit["provider"].as_str().unwrap_or("-"));
        format!(
            "{stage}: {provider} allows {} of {} leads today ({} a day); the run waits for {} midnights UTC",
            limit["leftToday"], limit["leads"], limit["perDay"], limit["days"]
        )
    };
    answer["limits"].as_array().into_iter().flatten().map(line).collect()
}

/// Starts a run and returns its id.
pub async fn start(api: &Api, body: &Value, idempotency_key: Option<&str>) -> anyhow::Result<String> {
    let answer = match idempotency_key {
        Some(key) => api.post_idempotent("/api/pipelines", body, key).await?,
        None => api.post("/api/pipelines", body).await?,
    };
    for line in limit_lines(&answer) {
        telemetry::notice(format_args!("{line}"));
    }
    let id = answer["runId"].as_str().ok_or_else(|| anyhow::anyhow!("the gateway's response lacks `runId`"))?;
    Ok(id.to_owned())
}
