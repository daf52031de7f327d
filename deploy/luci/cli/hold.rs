//! `luci hold`: numbers that sent a possible opt-out; a person releases or suppresses them.

use clap::Subcommand;
use serde_json::json;

use super::{Outcome, client::Api, out};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Hold {
    /// List the messages that wait for a decision
    List {
        #[arg(long)]
        json: bool,
    },
    /// The message is not an opt-out: queued messages are sent
    Release {
        #[arg(value_name = "NUMBER", allow_hyphen_values = true)]
        number: String,
    },
    /// The message is an opt-out: the number is suppressed
    Suppress {
        #[arg(value_name = "NUMBER", allow_hyphen_values = true)]
        number: String,
    },
}

impl Hold {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { json } => list(&api, json).await,
            Self::Release { number } => decide(&api, &number, "release").await,
            Self::Suppress { number } => decide(&api, &number, "suppress").await,
        }
    }
}

async fn decide(api: &Api, number: &str, decision: &str) -> anyhow::Result<Outcome> {
    let decided = api.post(&format!("/api/holds/{decision}"), &json!({"number": number})).await?;
    out::line(&format!("{number} {}", decided["status"].as_str().unwrap_or_default()))?;
    Ok(Outcome::Done)
}

async fn list(api: &Api, json: bool) -> anyhow::Result<Outcome> {
    let page = api.get("/api/holds?limit=500").await?;
    if json {
        out::json(&page)?;
        return Ok(Outcome::Done);
    }
    for hold in page["holds"].as_array().into_iter().flatten() {
        let text = |name: &str| hold[name].as_str().unwrap_or("-").to_owned();
        let words = text("text").split_whitespace().collect::<Vec<_>>().join(" ");
        out::line(&format!("{}  {}  {}  {words}", text("createdAt"), text("number"), text("rule")))?;
    }
    Ok(Outcome::Done)
}
