//! `luci migrate`: the roles and tables of the database, made as its owner.

use anyhow::Context;
use clap::Args;
use luci_schema::migrate;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Outcome, out};
use crate::{config::Config, instance::Instance};

#[derive(Debug, Args)]
pub struct Migrate {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// For scripts
    #[arg(long)]
    json: bool,
}

/// The database of the environment, else that of the instance in the data folder.
pub fn database_url(config: &Config) -> anyhow::Result<String> {
    if let Some(url) = &config.database_url {
        return Ok(url.expose_secret().to_owned());
    }
    let instance = Instance::read(&config.data_dir).context("the data folder cannot be read")?;
    let remedy = "name the database, or a --data-dir where `luci up` runs";
    Ok(instance.ok_or(out::Missing { name: "LUCI_DATABASE_URL", remedy })?.database_url)
}

impl Migrate {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let pool = migrate::connect_owner(&database_url(config)?).await;
        let pool = pool.context("the database cannot be reached")?;
        let done = if self.dry_run { migrate::pending(&pool).await? } else { migrate::run(&pool).await? };
        pool.close().await;
        if self.json {
            let list: Vec<_> = done.iter().map(|m| json!({"version": m.version, "name": m.description})).collect();
            out::json(&json!({"dryRun": self.dry_run, "migrations": list}))?;
            return Ok(Outcome::Done);
        }
        for migration in &done {
            out::line(&format!("{:04} {}", migration.version, migration.description))?;
        }
        let verb = if self.dry_run { "to apply" } else { "applied" };
        out::line(&format!("{} migrations {verb}", done.len()))?;
        Ok(Outcome::Done)
    }
}
