//! `luci hold`: numbers that sent a possible opt-out; a person releases or suppresses them.

use clap::Subcommand;
use serde_json::json;

use super::{
    Outcome,
    client::Api,
    out::{self, Format, table::Column},
};
use crate::config::Config;

const COLUMNS: [Column; 4] = [
    Column::time("AT", "createdAt"),
    Column::text("NUMBER", "number"),
    Column::text("RULE", "rule"),
    Column::text("TEXT", "text"),
];

#[derive(Debug, Subcommand)]
pub enum Hold {
    /// List the messages that wait for a decision
    List {
        #[command(flatten)]
        format: Format,
    },
    /// The message is not an opt-out: queued messages are sent
    Release {
        /// The phone number, with + and the country code if it is foreign
        #[arg(value_name = "NUMBER", allow_hyphen_values = true)]
        number: String,
    },
    /// The message is an opt-out: the number is suppressed
    Suppress {
        /// The phone number, with + and the country code if it is foreign
        #[arg(value_name = "NUMBER", allow_hyphen_values = true)]
        number: String,
    },
}

impl Hold {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { format } => list(&api, format).await,
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

async fn list(api: &Api, format: Format) -> anyhow::Result<Outcome> {
    let found = api.get("/api/holds?limit=500").await?;
    let items = found["holds"].as_array().map(Vec::as_slice).unwrap_or_default();
    format.list(&found, items, &COLUMNS, "messages wait for a decision")
}
