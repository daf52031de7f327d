//! `luci automation`: lists, shows, creates, updates, enables, disables, tests and removes automations, through the API.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Outcome,
    client::Api,
    ids, input,
    out::{Format, table::Column},
};
use crate::config::Config;

const COLUMNS: [Column; 4] = [
    Column::text("AUTOMATION", "automationId"),
    Column::text("ENABLED", "enabled"),
    Column::text("TRIGGER", "trigger.type"),
    Column::text("NAME", "name"),
];

#[derive(Debug, Subcommand)]
pub enum Automation {
    /// List the automations
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show one with its recent history
    Show {
        /// Its id, or the beginning of it
        #[arg(value_name = "AUTOMATION")]
        id: String,
        #[command(flatten)]
        format: Format,
    },
    /// Create one from a JSON definition; it is disabled at first
    Create {
        /// JSON file; `-` reads standard input
        #[arg(value_name = "FILE")]
        definition: PathBuf,
        #[command(flatten)]
        format: Format,
    },
    /// Replace its definition
    Update {
        /// Its id, or the beginning of it
        #[arg(value_name = "AUTOMATION")]
        id: String,
        /// JSON file; `-` reads standard input
        #[arg(value_name = "FILE")]
        definition: PathBuf,
        #[command(flatten)]
        format: Format,
    },
    /// Let it start runs
    Enable {
        /// Its id, or the beginning of it
        #[arg(value_name = "AUTOMATION")]
        id: String,
        #[command(flatten)]
        format: Format,
    },
    /// Stop it from starting runs
    Disable {
        /// Its id, or the beginning of it
        #[arg(value_name = "AUTOMATION")]
        id: String,
        #[command(flatten)]
        format: Format,
    },
    /// Evaluate it without starting a run
    Test {
        /// Its id, or the beginning of it
        #[arg(value_name = "AUTOMATION")]
        id: String,
        /// Facts of the trigger, as a JSON object
        #[arg(long, value_name = "JSON", default_value = "{}", value_parser = json_of)]
        facts: Value,
        #[command(flatten)]
        format: Format,
    },
    /// Remove it; runs that it started continue
    Remove {
        /// Its id, or the beginning of it
        #[arg(value_name = "AUTOMATION")]
        id: String,
        #[command(flatten)]
        format: Format,
    },
}

impl Automation {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        let (answer, format) = match self {
            Self::List { format } => return list(&api, format).await,
            Self::Show { id, format } => (api.get(&at(&api, &id).await?).await?, format),
            Self::Create { definition, format } => {
                (api.post("/api/automations", &input::json(&definition).await?).await?, format)
            }
            Self::Update { id, definition, format } => {
                let definition = input::json(&definition).await?;
                (api.post(&at(&api, &id).await?, &definition).await?, format)
            }
            Self::Enable { id, format } => {
                (api.post(&format!("{}/enable", at(&api, &id).await?), &json!({})).await?, format)
            }
            Self::Disable { id, format } => {
                (api.post(&format!("{}/disable", at(&api, &id).await?), &json!({})).await?, format)
            }
            Self::Test { id, facts, format } => {
                let path = format!("{}/test", at(&api, &id).await?);
                (api.post(&path, &json!({"facts": facts})).await?, format)
            }
            Self::Remove { id, format } => (api.delete(&at(&api, &id).await?).await?, format),
        };
        format.one(&answer, || answer.to_string())
    }
}

/// The path of one.
async fn at(api: &Api, id: &str) -> anyhow::Result<String> {
    Ok(format!("/api/automations/{}", ids::of(api, ids::AUTOMATION, id).await?))
}

fn json_of(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("expected JSON: {error}"))
}

async fn list(api: &Api, format: Format) -> anyhow::Result<Outcome> {
    let found = api.get("/api/automations").await?;
    let items = found["automations"].as_array().map(Vec::as_slice).unwrap_or_default();
    format.list(&found, items, &COLUMNS, "automations")
}
