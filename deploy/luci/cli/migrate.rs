//! `luci migrate`: creates and updates roles and tables of the database, as its owner.

use anyhow::Context;
use clap::Args;
use luci_schema::migrate;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    Outcome,
    client::no_instance,
    out::{self, Format},
};
use crate::{
    config::{Config, MissingSetting},
    local::InstanceFile,
};

#[derive(Debug, Args)]
pub struct Migrate {
    /// List pending migrations without applying them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: Format,
}

/// `LUCI_DATABASE_URL`, else the database of the instance in the data folder.
pub fn database_url(config: &Config) -> anyhow::Result<String> {
    if let Some(url) = &config.database_url {
        return Ok(url.expose_secret().to_owned());
    }
    let instance = InstanceFile::read(&config.data_dir).context("cannot read the data folder")?;
    if instance.is_none() && config.data_dir_is_flag() {
        return Err(no_instance(&config.data_dir));
    }
    let remedy = "set it to the database's URL, or choose a --data-dir where `luci up` runs";
    Ok(instance.ok_or(MissingSetting { name: "LUCI_DATABASE_URL", remedy })?.database_url)
}

impl Migrate {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let pool = migrate::connect_owner(&database_url(config)?).await;
        let pool = pool.context("cannot connect to the database")?;
        let migrations = if self.dry_run { migrate::pending(&pool).await? } else { migrate::run(&pool).await? };
        pool.close().await;
        if !self.format.is_text() {
            let list: Vec<_> =
                migrations.iter().map(|m| json!({"version": m.version, "name": m.description})).collect();
            self.format.document(&json!({"dryRun": self.dry_run, "migrations": list}))?;
            return Ok(Outcome::Done);
        }
        for migration in &migrations {
            out::line(&format!("{:04} {}", migration.version, migration.description))?;
        }
        let verb = if self.dry_run { "to apply" } else { "applied" };
        out::line(&format!("{} migrations {verb}", migrations.len()))?;
        Ok(Outcome::Done)
    }
}
