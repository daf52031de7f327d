//! `luci webhook`: deliveries that were signed and could not be understood.

use clap::Subcommand;
use serde_json::json;

use super::{
    Outcome,
    client::Api,
    ids,
    out::{self, Format, table::Column},
};
use crate::config::Config;

const COLUMNS: [Column; 4] = [
    Column::text("WEBHOOK", "webhookId"),
    Column::time("RECEIVED", "receivedAt"),
    Column::text("SOURCE", "source"),
    Column::text("REASON", "reason"),
];

#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// List the deliveries that could not be understood
    Unread {
        #[command(flatten)]
        format: Format,
    },
    /// Print one with its body
    Show {
        /// Its id, or the beginning of it
        #[arg(value_name = "WEBHOOK")]
        webhook: String,
        #[command(flatten)]
        format: Format,
    },
    /// Record that a person has dealt with one
    Resolve {
        /// Its id, or the beginning of it
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
            Self::Unread { format } => unread(&api, format).await,
            Self::Show { webhook, format } => {
                let webhook = ids::of(&api, ids::WEBHOOK, &webhook).await?;
                let found = api.get(&format!("/api/unread-webhooks/{webhook}")).await?;
                format.one(&found, || format!("{found:#}"))
            }
            Self::Resolve { webhook, note } => {
                let webhook = ids::of(&api, ids::WEBHOOK, &webhook).await?;
                api.post(&format!("/api/unread-webhooks/{webhook}/resolve"), &json!({"note": note})).await?;
                out::line(&format!("{webhook} resolved"))?;
                Ok(Outcome::Done)
            }
        }
    }
}

async fn unread(api: &Api, format: Format) -> anyhow::Result<Outcome> {
    let found = api.get("/api/unread-webhooks?limit=500").await?;
    let items = found["unread"].as_array().map(Vec::as_slice).unwrap_or_default();
    format.list(&found, items, &COLUMNS, "unread deliveries")
}
