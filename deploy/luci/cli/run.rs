//! `luci run`: starts, lists, shows, watches and controls runs, through the API.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome,
    client::Api,
    download, ids,
    out::{self, Format},
    run_list,
    run_options::Options,
    watch::{self, Show},
};
use crate::{config::Config, process::telemetry};

#[derive(Debug, Subcommand)]
pub enum Run {
    /// Start a run on an import, a sector, or both
    Start(Start),
    /// Estimate leads, cost and duration of a run
    Estimate(Start),
    /// List the newest runs
    List {
        /// queued, running, paused, completed, failed or cancelled
        #[arg(long)]
        status: Option<String>,
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Show a run with its stages
    Show(One),
    /// Follow a run to its end; exit code 1 unless it completes
    Watch(One),
    /// Pause a run: running blocks finish, no new ones start
    Pause(One),
    /// Resume a paused run
    Resume {
        #[command(flatten)]
        one: One,
        /// Set a new budget
        #[arg(long, value_name = "MICRODOLLARS")]
        budget_micros: Option<u64>,
    },
    /// Cancel a run; it cannot be resumed
    Cancel(One),
    /// Retry all failed blocks of a failed run, or one block
    Retry {
        #[command(flatten)]
        one: One,
        #[arg(long, value_name = "BLOCK")]
        block: Option<String>,
    },
    /// Skip a failed block: its leads go no further, the others continue
    Skip {
        #[command(flatten)]
        one: One,
        #[arg(value_name = "BLOCK")]
        block: String,
    },
    /// Write the failed leads as CSV to standard output: correct it, and import it again
    FailedLeads {
        #[arg(value_name = "RUN")]
        run: String,
        /// File instead of standard output
        #[arg(long, value_name = "FILE")]
        to: Option<std::path::PathBuf>,
    },
    /// Start a new run on the same input and blueprint
    Replay(One),
    /// Hide an ended run from lists
    Delete(One),
}

#[derive(Debug, Args)]
pub struct One {
    /// Its id, or the beginning of it
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub struct Start {
    #[arg(long, value_name = "IMPORT")]
    import: Option<String>,
    #[arg(long, value_name = "SECTOR")]
    sector: Option<String>,
    #[arg(long, value_name = "BLUEPRINT")]
    blueprint: Option<String>,
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

impl Run {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::Start(start) => start.found(&api).await?.run(&api).await,
            Self::Estimate(start) => start.found(&api).await?.estimate(&api).await,
            Self::List { status, limit, format } => run_list::run(&api, status.as_deref(), limit, format).await,
            Self::Show(one) => one.found(&api).await?.show(&api).await,
            Self::Watch(one) => one.found(&api).await?.watch(&api).await,
            Self::Pause(one) => one.found(&api).await?.command(&api, "pause").await,
            Self::Resume { one, budget_micros } => one.found(&api).await?.resume(&api, budget_micros).await,
            Self::Cancel(one) => one.found(&api).await?.command(&api, "cancel").await,
            Self::Retry { one, block: None } => one.found(&api).await?.command(&api, "retry").await,
            Self::Retry { one, block: Some(block) } => one.found(&api).await?.block(&api, &block, "retry").await,
            Self::Skip { one, block } => one.found(&api).await?.block(&api, &block, "skip").await,
            Self::FailedLeads { run, to } => {
                let run = ids::run(&api, &run).await?;
                download::to(&api, &format!("/api/pipelines/{run}/failed-leads.csv"), to.as_deref()).await
            }
            Self::Replay(one) => one.found(&api).await?.command(&api, "replay").await,
            Self::Delete(one) => one.found(&api).await?.delete(&api).await,
        }
    }
}

impl Start {
    /// With the whole id of the import.
    async fn found(mut self, api: &Api) -> anyhow::Result<Self> {
        if let Some(import) = &self.import {
            self.import = Some(ids::import(api, import).await?);
        }
        Ok(self)
    }

    fn body(&self) -> Value {
        let mut body = json!({"options": self.options.body(), "allowRepeat": self.allow_repeat});
        let inputs = [("importId", &self.import), ("sectorId", &self.sector), ("blueprintId", &self.blueprint)];
        for (name, value) in inputs {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        body
    }

    async fn estimate(self, api: &Api) -> anyhow::Result<Outcome> {
        let estimate = api.post("/api/pipelines/estimate", &self.body()).await?;
        self.format.one(&estimate, || estimate_text(&estimate))
    }

    async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let body = self.body();
        let run = start(api, &body, self.once.as_deref()).await?;
        if !self.watch {
            return self.format.one(&json!({"runId": run}), || run.clone());
        }
        watch_to_end(api, &run, self.format).await
    }
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

/// Follows a run and prints its summary at the end.
pub async fn watch_to_end(api: &Api, run: &str, format: Format) -> anyhow::Result<Outcome> {
    let show = if format.is_json() { Show::Json } else { Show::Bars };
    let Some(detail) = out::StopSignals::listen()?.or(watch::until_ended(api, run, show)).await? else {
        telemetry::notice(format_args!("interrupted; the run continues: luci run watch {run}"));
        return Ok(Outcome::Interrupted);
    };
    if !format.is_json() {
        format.one(&detail.summary(), || watch::as_text(&detail))?;
    }
    Ok(if detail.run.completed() { Outcome::Done } else { Outcome::Failed })
}

impl One {
    /// With the whole id of the run.
    async fn found(self, api: &Api) -> anyhow::Result<Self> {
        Ok(Self { run: ids::run(api, &self.run).await?, ..self })
    }

    async fn show(self, api: &Api) -> anyhow::Result<Outcome> {
        let detail = api.get(&format!("/api/pipelines/{}", self.run)).await?;
        if self.format.is_json() {
            return self.format.one(&detail, String::new);
        }
        let text = watch::as_text(&serde_json::from_value(detail.clone())?);
        self.format.one(&detail["run"], || text)
    }

    async fn watch(self, api: &Api) -> anyhow::Result<Outcome> {
        watch_to_end(api, &self.run, self.format).await
    }

    async fn command(self, api: &Api, verb: &str) -> anyhow::Result<Outcome> {
        let answer = api.post(&format!("/api/pipelines/{}/{verb}", self.run), &json!({})).await?;
        self.print(&answer)
    }

    async fn block(self, api: &Api, block: &str, verb: &str) -> anyhow::Result<Outcome> {
        let block = ids::block(api, &self.run, block).await?;
        self.command(api, &format!("blocks/{block}/{verb}")).await
    }

    async fn resume(self, api: &Api, budget_micros: Option<u64>) -> anyhow::Result<Outcome> {
        let body = budget_micros.map_or_else(|| json!({}), |micros| json!({"budgetMicros": micros}));
        let answer = api.post(&format!("/api/pipelines/{}/resume", self.run), &body).await?;
        self.print(&answer)
    }

    async fn delete(self, api: &Api) -> anyhow::Result<Outcome> {
        let answer = api.delete(&format!("/api/pipelines/{}", self.run)).await?;
        self.print(&answer)
    }

    fn print(&self, answer: &Value) -> anyhow::Result<Outcome> {
        let (run, status) = (answer["runId"].as_str(), answer["status"].as_str());
        self.format.one(answer, || format!("{} {}", run.unwrap_or(&self.run), status.unwrap_or("accepted")))
    }
}
