//! `luci key`: lists, makes and revokes keys of the caller's tenant, through the API.

use clap::Subcommand;
use serde_json::json;

use super::{Outcome, out};
use crate::{client::Api, config::Config, telemetry};

#[derive(Debug, Subcommand)]
pub enum Key {
    /// Every key, never its secret
    List {
        #[arg(long)]
        json: bool,
    },
    /// Makes a key; its secret is shown this once
    Create {
        name: String,
        /// viewer, member, admin, owner or auditor
        #[arg(long, default_value = "member")]
        role: String,
        #[arg(long)]
        json: bool,
    },
    /// Makes a key useless, at once
    Revoke {
        #[arg(value_name = "KEY")]
        key: String,
    },
}

impl Key {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { json } => list(&api, json).await,
            Self::Create { name, role, json } => create(&api, &name, &role, json).await,
            Self::Revoke { key } => {
                api.delete(&format!("/api/keys/{key}")).await?;
                out::line(&format!("{key} revoked"))?;
                Ok(Outcome::Done)
            }
        }
    }
}

async fn list(api: &Api, json: bool) -> anyhow::Result<Outcome> {
    let page = api.get("/api/keys").await?;
    if json {
        out::json(&page)?;
        return Ok(Outcome::Done);
    }
    for key in page["keys"].as_array().into_iter().flatten() {
        let text = |name: &str| key[name].as_str().unwrap_or("-").to_owned();
        let state = if key["revokedAt"].is_null() { "" } else { "  revoked" };
        out::line(&format!(
            "{}  {:<8}  {:<12}…  {}{state}",
            text("keyId"),
            text("role"),
            text("prefix"),
            text("name")
        ))?;
    }
    Ok(Outcome::Done)
}

async fn create(api: &Api, name: &str, role: &str, json: bool) -> anyhow::Result<Outcome> {
    let made = api.post("/api/keys", &json!({"name": name, "role": role})).await?;
    if json {
        out::json(&made)?;
    } else {
        out::line(made["key"].as_str().unwrap_or_default())?;
        telemetry::tell("The key is shown this once; keep it where only its holder reads it.");
    }
    Ok(Outcome::Done)
}
