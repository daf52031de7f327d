//! `luci webhook`: deliveries that were signed and could not be understood.

use clap::Subcommand;
use serde_json::json;

use super::{Outcome, client::Api, out};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// List the deliveries that could not be understood
    Unread {
        #[arg(long)]
        json: bool,
    },
    /// Print one with its body
    Show {
        #[arg(value_name = "WEBHOOK")]
        webhook: String,
    },
    /// Record that a person has dealt with one
    Resolve {
        #[arg(value_name = "WEBHOOK")]
        webhook: String,
        /// What was done
        #[arg(long, default_value = "")]
        note: String,
    },
}

impl Webhook {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::Unread { json } => unread(&api, json).await,
            Self::Show { webhook } => {
                out::json(&api.get(&format!("/api/unread-webhooks/{webhook}")).await?)?;
                Ok(Outcome::Done)
            }
            Self::Resolve { webhook, note } => {
                api.post(&format!("/api/unread-webhooks/{webhook}/resolve"), &json!({"note": note})).await?;
                out::line(&format!("{webhook} resolved"))?;
                Ok(Outcome::Done)
            }
        }
    }
}

async fn unread(api: &Api, json: bool) -> anyhow::Result<Outcome> {
    let page = api.get("/api/unread-webhooks?limit=500").await?;
    if json {
        out::json(&page)?;
        return Ok(Outcome::Done);
    }
    for delivery in page["unread"].as_array().into_iter().flatten() {
        let text = |name: &str| delivery[name].as_str().unwrap_or("-").to_owned();
        let (id, at) = (text("webhookId"), text("receivedAt"));
        out::line(&format!("{id}  {at}  {:<12}  {}", text("source"), text("reason")))?;
    }
    Ok(Outcome::Done)
}
