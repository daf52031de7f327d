//! `luci provider`: which outside providers the tenant can ask, and its own credentials there, through the API.

use std::io::Read;

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::{Outcome, out};
use crate::{client::Api, config::Config};

#[derive(Debug, Subcommand)]
pub enum Provider {
    /// Every provider, and whose credential it is asked with
    List {
        #[arg(long)]
        json: bool,
    },
    /// Keeps the tenant's own credential; its key is read from standard input, so that no shell remembers it
    Set {
        /// apollo, realestate, tracerfy, trestle, twilio or signalhouse
        provider: String,
        /// Twilio's account SID, SignalHouse's API key
        #[arg(long)]
        account: Option<String>,
    },
    /// Forgets the tenant's own credential
    Remove { provider: String },
}

impl Provider {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { json } => list(&api, json).await,
            Self::Set { provider, account } => {
                let mut key = String::new();
                std::io::stdin().read_to_string(&mut key).context("the key cannot be read from standard input")?;
                let mut body = json!({"key": key.trim()});
                if let Some(account) = account {
                    body["account"] = account.into();
                }
                api.set(&format!("/api/providers/{provider}"), &body).await?;
                out::line(&format!("{provider} is asked with the tenant's own key"))?;
                Ok(Outcome::Done)
            }
            Self::Remove { provider } => {
                api.delete(&format!("/api/providers/{provider}")).await?;
                out::line(&format!("{provider}: the tenant's own key is forgotten"))?;
                Ok(Outcome::Done)
            }
        }
    }
}

async fn list(api: &Api, json: bool) -> anyhow::Result<Outcome> {
    let page = api.get("/api/providers").await?;
    if json {
        out::json(&page)?;
        return Ok(Outcome::Done);
    }
    for row in page["providers"].as_array().into_iter().flatten() {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        out::line(&format!("{:<12}  {}", text("provider"), text("credential")))?;
    }
    Ok(Outcome::Done)
}
