//! `luci message`: queued messages, and the drafts that a person approves or rejects.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome, UsageError,
    client::Api,
    ids,
    out::{self, Format, List, table::Column},
};
use crate::config::Config;

const COLUMNS: [Column; 7] = [
    Column::text("MESSAGE", "messageId"),
    Column::status("STATUS", "status"),
    Column::text("TO", "to"),
    Column::age("AGE", "createdAt"),
    Column::text("WAITS FOR", "waitingFor.reason"),
    Column::text("ERROR", "errorCode"),
    Column::text("TEXT", "body"),
];

#[derive(Debug, Subcommand)]
pub enum Message {
    /// List messages, newest first
    List {
        /// draft, approved, pending, processing, sent, failed, rejected or cancelled
        #[arg(long)]
        status: Option<String>,
        /// Only those of this run
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Approve drafts: they are sent within the sending hours
    Approve(Decide),
    /// Reject drafts: they are never sent
    Reject(Decide),
}

#[derive(Debug, Args)]
pub struct Decide {
    /// Messages, by id or the beginning of it
    #[arg(value_name = "MESSAGE", required_unless_present = "run", conflicts_with = "run")]
    messages: Vec<String>,
    /// All drafts of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Say how many drafts there are, and change nothing
    #[arg(long, requires = "run")]
    dry_run: bool,
    #[command(flatten)]
    format: Format,
}

impl Message {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { status, run, limit, format } => {
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                if let Some(status) = &status {
                    query.append_pair("status", status);
                }
                if let Some(run) = &run {
                    query.append_pair("runId", &ids::run(&api, run).await?);
                }
                let path = format!("/api/messages?{}", query.finish());
                let path = path.trim_end_matches('?');
                let list = List { path, key: "messages", columns: &COLUMNS, noun: "messages" };
                format.pages(&api, list, limit as usize).await
            }
            Self::Approve(decide) => decide.run(&api, "approve").await,
            Self::Reject(decide) => decide.run(&api, "reject").await,
        }
    }
}

impl Decide {
    async fn run(self, api: &Api, decision: &str) -> anyhow::Result<Outcome> {
        if let Some(run) = &self.run {
            let run = ids::run(api, run).await?;
            return self.all_of(api, &run, decision).await;
        }
        // All are found before the first is decided.
        let mut messages = Vec::with_capacity(self.messages.len());
        for message in &self.messages {
            messages.push(ids::of(api, ids::MESSAGE, message).await?);
        }
        for message in messages {
            let path = format!("/api/messages/{message}/{decision}");
            let decided = api.post(&path, &json!({})).await?;
            self.format.one(&decided, || format!("{message} {}", decided["status"].as_str().unwrap_or_default()))?;
        }
        Ok(Outcome::Done)
    }

    /// In parts: one request decides at most some hundreds.
    async fn all_of(&self, api: &Api, run: &str, decision: &str) -> anyhow::Result<Outcome> {
        let mut decided = 0;
        loop {
            let body = json!({"runId": run, "dryRun": self.dry_run});
            let mut answer = api.post(&format!("/api/messages/{decision}"), &body).await?;
            let count = |answer: &Value, name: &str| answer[name].as_u64().unwrap_or_default();
            decided += count(&answer, "decided");
            if !self.dry_run && count(&answer, "left") > 0 && count(&answer, "decided") > 0 {
                continue;
            }
            answer["decided"] = json!(decided);
            let matched = if self.dry_run { count(&answer, "matched") } else { decided };
            if matched == 0 {
                return Err(UsageError(format!("{run} has no drafts")).into());
            }
            let verb = if self.dry_run { "would be decided" } else { answer["status"].as_str().unwrap_or_default() };
            return self.format.one(&answer, || {
                out::escaped(&format!("{matched} draft{} {verb}", if matched == 1 { "" } else { "s" }))
            });
        }
    }
}
