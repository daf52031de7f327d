//! `luci blueprint`: lists, shows, publishes, activates and archives blueprints, through the API.

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
        /// Its id, or the beginning of it
        #[arg(value_name = "BLUEPRINT")]
        id: String,
        #[command(flatten)]
        format: Format,
    },
    /// Publish a blueprint, or the next version of one
    Create {
        /// Name of the blueprint
        name: String,
        /// JSON list of stages, each {name, stage, config}; `-` reads standard input
        #[arg(value_name = "FILE")]
        stages: PathBuf,
        /// Publish the next version of this blueprint
        #[arg(long, value_name = "BLUEPRINT")]
        of: Option<String>,
        /// Do not activate it: new runs keep the active version
        #[arg(long)]
        later: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Use this version for new runs
    Activate {
        /// Its id, or the beginning of it
        #[arg(value_name = "BLUEPRINT")]
        id: String,
        /// Number of the version
        version: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Archive one; runs keep the version that they pinned
    Remove {
        /// Its id, or the beginning of it
        #[arg(value_name = "BLUEPRINT")]
        id: String,
        #[command(flatten)]
        format: Format,
    },
}

impl Blueprint {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        let (answer, format) = match self {
            Self::List { format } => return list(&api, format).await,
            Self::Show { id, format } => (api.get(&at(&api, &id).await?).await?, format),
            Self::Create { name, stages, of, later, format } => {
                let mut body = json!({"name": name, "stages": input::json(&stages).await?, "activate": !later});
                if let Some(of) = of {
                    body["blueprintId"] = json!(ids::of(&api, ids::BLUEPRINT, &of).await?);
                }
                (api.post("/api/blueprints", &body).await?, format)
            }
            Self::Activate { id, version, format } => {
                let path = format!("{}/activate", at(&api, &id).await?);
                (api.post(&path, &json!({"version": version})).await?, format)
            }
            Self::Remove { id, format } => (api.delete(&at(&api, &id).await?).await?, format),
        };
        format.one(&answer, || answer.to_string())
    }
}

/// The path of one.
async fn at(api: &Api, id: &str) -> anyhow::Result<String> {
    Ok(format!("/api/blueprints/{}", ids::of(api, ids::BLUEPRINT, id).await?))
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
