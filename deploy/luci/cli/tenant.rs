//! `luci tenant create`: creates a tenant, its owner and system actor, and an API key; connects to the database, as operator.

use anyhow::Context;
use clap::Subcommand;
use luci_config::tenants;
use luci_leads::commands::sectors;
use luci_schema::{
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    Outcome,
    migrate::database_url,
    out::{self, Format},
};
use crate::{config::Config, process::telemetry};

#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Create a tenant, its owner, its system actor and an API key
    Create {
        /// Name of the tenant, as people see it
        name: String,
        /// Only a-z, 0-9 and `-`; derived from the name by default
        #[arg(long)]
        slug: Option<String>,
        #[command(flatten)]
        format: Format,
    },
}

impl Tenant {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let Self::Create { name, slug, format } = self;
        let pool = migrate::connect(&database_url(config)?, DatabaseRole::Engine, 2).await;
        let pool = pool.context("cannot connect to the database")?;
        let log = Log::open(pool, LogOptions::default()).await?;
        let slug = slug.unwrap_or_else(|| tenants::slug_of(&name));
        let created = tenants::create(&log, &name, &slug, sectors::seed_new_tenant).await?;
        let secret = created.key.secret.expose_secret();
        if !format.is_text() {
            let ids = json!({"tenantId": created.tenant, "ownerId": created.owner, "systemId": created.system, "slug": slug,
                "keyId": created.key.key_id, "apiKey": secret});
            format.document(&ids)?;
            return Ok(Outcome::Done);
        }
        out::line(&format!("tenant  {}\nowner   {}\nkey     {secret}", created.tenant, created.owner))?;
        telemetry::notice("The key is shown only once; store it in a safe place.");
        Ok(Outcome::Done)
    }
}
