//! `luci blueprint`: lists, shows, publishes, activates and puts away blueprints, through the API.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Outcome, out};
use crate::{client::Api, config::Config};

#[derive(Debug, Subcommand)]
pub enum Blueprint {
    /// The newest version of each
    List {
        #[arg(long)]
        json: bool,
    },
    /// Every version of one
    Show {
        #[arg(value_name = "BLUEPRINT")]
        id: String,
    },
    /// Publishes a blueprint, or the next version of one
    Create {
        name: String,
        /// JSON: the list of stages, each {name, stage, config}
        #[arg(value_name = "FILE")]
        stages: PathBuf,
        /// Of this one, the next version
        #[arg(long, value_name = "BLUEPRINT")]
        of: Option<String>,
        /// New runs take it only when it is activated
        #[arg(long)]
        later: bool,
    },
    /// New runs take this version from now on
    Activate {
        #[arg(value_name = "BLUEPRINT")]
        id: String,
        version: u32,
    },
    /// Puts one away; runs that have pinned a version keep it
    Remove {
        #[arg(value_name = "BLUEPRINT")]
        id: String,
    },
}

impl Blueprint {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        let answer = match self {
            Self::List { json } => return list(&api, json).await,
            Self::Show { id } => api.get(&format!("/api/blueprints/{id}")).await?,
            Self::Create { name, stages, of, later } => {
                let text = std::fs::read_to_string(&stages).with_context(|| stages.display().to_string())?;
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

async fn list(api: &Api, json: bool) -> anyhow::Result<Outcome> {
    let page = api.get("/api/blueprints").await?;
    if json {
        out::json(&page)?;
        return Ok(Outcome::Done);
    }
    for blueprint in page["blueprints"].as_array().into_iter().flatten() {
        let (id, name) = (blueprint["blueprintId"].as_str(), blueprint["name"].as_str());
        let stages: Vec<&str> =
            blueprint["stages"].as_array().into_iter().flatten().filter_map(|spec| spec["stage"].as_str()).collect();
        let version = &blueprint["activeVersion"];
        out::line(&format!("{}  v{version:<3} {:<24}  {}", id.unwrap_or("-"), name.unwrap_or("-"), stages.join(" ")))?;
    }
    Ok(Outcome::Done)
}
