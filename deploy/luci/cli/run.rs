//! `luci run`: starts, lists, shows, watches and controls runs, through the API.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Outcome, client::Api, download, ids, out::Format, run_list, run_start::Start, watch};
use crate::config::Config;

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
        /// At most so many
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
        /// Only this block: its id, or the beginning of it
        #[arg(long, value_name = "BLOCK")]
        block: Option<String>,
    },
    /// Skip a failed block: its leads go no further, the others continue
    Skip {
        #[command(flatten)]
        one: One,
        /// Its id, or the beginning of it
        #[arg(value_name = "BLOCK")]
        block: String,
    },
    /// Write the failed leads as CSV to standard output: correct it, and import it again
    FailedLeads {
        /// Its id, or the beginning of it
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
        watch::to_end(api, &self.run, self.format).await
    }

    async fn command(self, api: &Api, verb: &str) -> anyhow::Result<Outcome> {
        let answer = api.post(&format!("/api/pipelines/{}/{verb}", self.run), &json!({})).await?;
        self.print(&answer)
    }

    async fn block(self, api: &Api, block: &str, verb: &str) -> anyhow::Result<Outcome> {
        let block = ids::of_run(api, &self.run, ids::BLOCK, block).await?;
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
