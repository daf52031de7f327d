//! `luci provider`: lists the outside providers, and sets and removes the tenant's own credentials, through the API.

use std::io::{IsTerminal, Read};

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::{
    Outcome,
    client::Api,
    out::{self, Format, table::Column},
};
use crate::{config::Config, process::telemetry};

const COLUMNS: [Column; 4] = [
    Column::text("PROVIDER", "provider"),
    Column::text("CREDENTIAL", "credential"),
    Column::text("HEALTH", "health.state"),
    Column::number("CALLS TODAY", "askedToday"),
];

#[derive(Debug, Subcommand)]
pub enum Provider {
    /// List the providers, and whose credential is used for each
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Set the tenant's own credential; the key is read from standard input, so that it is not in the shell's history
    Set {
        /// apollo, realestate, tracerfy, trestle, twilio or signalhouse
        provider: String,
        /// Account SID of Twilio, or API key of SignalHouse
        #[arg(long)]
        account: Option<String>,
    },
    /// Remove the tenant's own credential
    Remove {
        /// apollo, realestate, tracerfy, trestle, twilio or signalhouse
        provider: String,
    },
}

impl Provider {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { format } => list(&api, format).await,
            Self::Set { provider, account } => {
                if std::io::stdin().is_terminal() {
                    telemetry::notice(format_args!("the key of {provider}, then Enter and Ctrl-D:"));
                }
                let mut key = String::new();
                std::io::stdin().read_to_string(&mut key).context("cannot read the key from standard input")?;
                let mut body = json!({"key": key.trim()});
                if let Some(account) = account {
                    body["account"] = account.into();
                }
                api.put(&format!("/api/providers/{provider}"), &body).await?;
                out::line(&format!("{provider}: credential set"))?;
                Ok(Outcome::Done)
            }
            Self::Remove { provider } => {
                api.delete(&format!("/api/providers/{provider}")).await?;
                out::line(&format!("{provider}: credential removed"))?;
                Ok(Outcome::Done)
            }
        }
    }
}

async fn list(api: &Api, format: Format) -> anyhow::Result<Outcome> {
    let found = api.get("/api/providers").await?;
    let items = found["providers"].as_array().map(Vec::as_slice).unwrap_or_default();
    format.list(&found, items, &COLUMNS, "providers")
}
