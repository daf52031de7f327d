//! `luci blueprint`: lists, shows, publishes, activates and archives blueprints, through the API.

use std::path::PathBuf;

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
    Column::text("BLUEPRINT", "blueprintId"),
    Column::number("ACTIVE", "activeVersion"),
    Column::text("NAME", "name"),
    Column::text("STAGES", "stageNames"),
];

#[derive(Debug, Subcommand)]
pub enum Blueprint {
    /// List the newest version of each
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show every version of one
    Show {
        #[arg(value_name = "BLUEPRINT")]
        id: String,
    },
    /// Publish a blueprint, or the next version of one
    Create {
        name: String,
        /// JSON list of stages, each {name, stage, config}
        #[arg(value_name = "FILE")]
        stages: PathBuf,
        /// Publish the next version of this blueprint
        #[arg(long, value_name = "BLUEPRINT")]
        of: Option<String>,
        /// Do not activate it: new runs keep the active version
        #[arg(long)]
        later: bool,
    },
    /// Use this version for new runs
    Activate {
        #[arg(value_name = "BLUEPRINT")]
        id: String,
        version: u32,
    },
    /// Archive one; runs keep the version that they pinned
    Remove {
        #[arg(value_name = "BLUEPRINT")]
        id: String,
    },
}

impl Blueprint {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        let answer = match self {
            Self::List { format } => return list(&api, format).await,
            Self::Show { id } => api.get(&format!("/api/blueprints/{id}")).await?,
            Self::Create { name, stages, of, later } => {
                let text =
                    std::fs::read_to_string(&stages).with_context(|| format!("cannot read {}", stages.display()))?;
                let stages: Value = serde_json::from_str(&text).context("the list of stages is not JSON")?;
                let mut body = json!({"name": name, "stages": stages, "activate": !later});
                if let Some(of) = of {
                    body["blueprintId"] = json!(of);
                }
                api.post("/api/blueprints", &body).await?
            }
            Self::Activate { id, version } => {
                api.post(&format!("/api/blueprints/{id}/activate"), &json!({"version": version})).await?
            }
            Self::Remove { id } => api.delete(&format!("/api/blueprints/{id}")).await?,
        };
        out::json(&answer)?;
        Ok(Outcome::Done)
    }
}

async fn list(api: &Api, format: Format) -> anyhow::Result<Outcome> {
    let found = api.get("/api/blueprints").await?;
    let with_names = |one: &Value| {
        let stages = one["stages"].as_array().into_iter().flatten();
        let mut one = one.clone();
        one["stageNames"] = stages.map(|spec| spec["stage"].clone()).collect();
        one
    };
    let items: Vec<Value> = found["blueprints"].as_array().into_iter().flatten().map(with_names).collect();
    format.list(&found, &items, &COLUMNS, "blueprints")
}
