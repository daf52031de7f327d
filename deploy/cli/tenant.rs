//! `luci tenant create`: a tenant, its owner and system actor, and a key that is shown once. On the database, as operator.

use anyhow::Context;
use clap::Subcommand;
use luci_engine::admin::tenants;
use luci_schema::{
    log::{Log, LogOptions},
    migrate::{self, Role},
};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Outcome, migrate::database_url, out};
use crate::{config::Config, telemetry};

#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Makes a tenant, its owner, its system actor and a key
    Create {
        name: String,
        /// Words of a-z, 0-9 and `-`; made from the name when absent
        #[arg(long)]
        slug: Option<String>,
        /// For scripts
        #[arg(long)]
        json: bool,
    },
}

impl Tenant {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let Self::Create { name, slug, json } = self;
        let pool = migrate::connect(&database_url(config)?, Role::Engine, 2).await;
        let pool = pool.context("the database cannot be reached")?;
        let log = Log::open(pool, LogOptions::default()).await?;
        let slug = slug.unwrap_or_else(|| tenants::slug_of(&name));
        let made = tenants::found(&log, &name, &slug).await?;
        let secret = made.key.secret.expose_secret();
        if json {
            let ids = json!({"tenantId": made.tenant, "ownerId": made.owner, "systemId": made.system, "slug": slug,
                "keyId": made.key.key_id, "apiKey": secret});
            out::json(&ids)?;
            return Ok(Outcome::Done);
        }
        out::line(&format!("tenant  {}\nowner   {}\nkey     {secret}", made.tenant, made.owner))?;
        telemetry::tell("The key is shown this once; keep it where only its holder reads it.");
        Ok(Outcome::Done)
    }
}
