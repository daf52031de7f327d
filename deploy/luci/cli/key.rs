//! `luci key`: lists, creates and revokes API keys of the caller's tenant, through the API.

use clap::Subcommand;
use serde_json::json;

use super::{Outcome, client::Api, out};
use crate::{config::Config, process::telemetry};

#[derive(Debug, Subcommand)]
pub enum Key {
    /// List the keys, without their secrets
    List {
        #[arg(long)]
        json: bool,
    },
    /// Create a key; its secret is shown only once
    Create {
        name: String,
        /// viewer, member, admin, owner or auditor
        #[arg(long, default_value = "member")]
        role: String,
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key, effective at once
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
    let created = api.post("/api/keys", &json!({"name": name, "role": role})).await?;
    if json {
        out::json(&created)?;
    } else {
        out::line(created["key"].as_str().unwrap_or_default())?;
        telemetry::notice("The key is shown only once; store it in a safe place.");
    }
    Ok(Outcome::Done)
}
