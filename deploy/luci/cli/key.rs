//! `luci key`: lists, creates and revokes API keys of the caller's tenant, through the API.

use clap::{Subcommand, builder::NonEmptyStringValueParser};
use serde_json::json;

use super::{
    Outcome,
    client::Api,
    ids,
    out::{self, Format, table::Column},
};
use crate::{config::Config, process::telemetry};

const COLUMNS: [Column; 5] = [
    Column::text("KEY", "keyId"),
    Column::text("ROLE", "role"),
    Column::text("BEGINS", "prefix"),
    Column::time("REVOKED", "revokedAt"),
    Column::text("NAME", "name"),
];

#[derive(Debug, Subcommand)]
pub enum Key {
    /// List the keys, without their secrets
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Create a key; its secret is shown only once
    Create {
        /// For lists: who or what uses it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// viewer, member, admin, owner or auditor
        #[arg(long, default_value = "member")]
        role: String,
        #[command(flatten)]
        format: Format,
    },
    /// Revoke a key, effective at once
    Revoke {
        /// Its id, or the beginning of it
        #[arg(value_name = "KEY")]
        key: String,
    },
}

impl Key {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let api = Api::find(config)?;
        match self {
            Self::List { format } => list(&api, format).await,
            Self::Create { name, role, format } => create(&api, &name, &role, format).await,
            Self::Revoke { key } => {
                let key = ids::of(&api, ids::KEY, &key).await?;
                api.delete(&format!("/api/keys/{key}")).await?;
                out::line(&format!("{key} revoked"))?;
                Ok(Outcome::Done)
            }
        }
    }
}

async fn list(api: &Api, format: Format) -> anyhow::Result<Outcome> {
    let found = api.get("/api/keys").await?;
    let items = found["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    format.list(&found, items, &COLUMNS, "keys")
}

async fn create(api: &Api, name: &str, role: &str, format: Format) -> anyhow::Result<Outcome> {
    let created = api.post("/api/keys", &json!({"name": name, "role": role})).await?;
    let outcome = format.one(&created, || created["key"].as_str().unwrap_or_default().to_owned())?;
    if format.is_text() {
        telemetry::notice("The key is shown only once; store it in a safe place.");
    }
    Ok(outcome)
}
