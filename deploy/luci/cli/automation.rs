//! `luci automation`: lists, shows, creates, updates, enables, disables, tests and removes automations, through the API.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Outcome,
    client::Api,
    out::{self, Format, table::Column},
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
        #[arg(value_name = "AUTOMATION")]
        id: String,
    },
    /// Create one from a JSON definition; it is disabled at first
    Create {
        #[arg(value_name = "FILE")]
        definition: PathBuf,
    },
    /// Replace its definition
    Update {
        #[arg(value_name = "AUTOMATION")]
        id: String,
        #[arg(value_name = "FILE")]
        definition: PathBuf,
    },
    /// Let it start runs
    Enable {
        #[arg(value_name = "AUTOMATION")]
        id: String,
    },
    /// Stop it from starting runs
    Disable {
        #[arg(value_name = "AUTOMATION")]
        id: String,
    },
    /// Evaluate it without starting a run
    Test {
        #[arg(value_name = "AUTOMATION")]
        id: String,
        /// Facts of the trigger, as a JSON object
        #[arg(long, value_name = "JSON", default_value = "{}")]
        facts: String,
    },
    /// Remove it; runs that it started continue
    Remove {
        #[arg(value_name = "AUTOMATION")]
        id: String,
    },
}

impl Automation {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        let at = |id: &str| format!("/api/automations/{id}");
        let answer = match self {
            Self::List { format } => return list(&api, format).await,
            Self::Show { id } => api.get(&at(&id)).await?,
            Self::Create { definition } => api.post("/api/automations", &read(&definition)?).await?,
            Self::Update { id, definition } => api.post(&at(&id), &read(&definition)?).await?,
            Self::Enable { id } => api.post(&format!("{}/enable", at(&id)), &json!({})).await?,
            Self::Disable { id } => api.post(&format!("{}/disable", at(&id)), &json!({})).await?,
            Self::Test { id, facts } => {
                let facts: Value = serde_json::from_str(&facts).context("--facts is not JSON")?;
                api.post(&format!("{}/test", at(&id)), &json!({"facts": facts})).await?
            }
            Self::Remove { id } => api.delete(&at(&id)).await?,
        };
        out::json(&answer)?;
        Ok(Outcome::Done)
    }
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).context("the definition is not JSON")
}

async fn list(api: &Api, format: Format) -> anyhow::Result<Outcome> {
    let found = api.get("/api/automations").await?;
    let items = found["automations"].as_array().map(Vec::as_slice).unwrap_or_default();
    format.list(&found, items, &COLUMNS, "automations")
}
