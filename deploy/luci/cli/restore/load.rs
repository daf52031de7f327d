//! `luci restore load`: a backup takes the place of the database.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use futures::TryStreamExt as _;
use luci_config::vault::Vault;
use luci_schema::{Micros, migrate};
use luci_storage::Storage;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, postgres::PgConnectOptions,
};

use super::owners;
use crate::{
    broker::Passwords,
    cli::{
        Outcome,
        audit::seals::operator_store,
        backup::{DUMP, Manifest, OBJECTS, postgres_tools::PostgresTools},
        migrate::database_url,
        out::{self, Format},
    },
    config::Config,
    local::{Folder, InstanceFile, Servers, random_hex},
};

#[derive(Debug, Args)]
pub struct Load {
    /// The folder that `luci backup` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    format: Format,
}

impl Load {
    /// With every LUCI process stopped. The servers of a data folder are started for it.
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let manifest = Manifest::check(&self.folder).await?;
        // Locked until the end: `luci up` must not start meanwhile.
        let folder = own_folder(config)?;
        let servers = match &folder {
            Some(folder) => Some(Servers::start(config, folder, unused_passwords()?).await?),
            None => None,
        };
        let url = match &servers {
            Some(servers) => servers.database_url.clone(),
            None => database_url(config)?.into(),
        };
        let loaded = async {
            let storage = store(config, folder.as_ref())?;
            let kept = database(&PostgresTools::find(&config.search)?, &url, &self.folder).await?;
            let copied = objects(&storage, &self.folder.join(OBJECTS)).await?;
            anyhow::Ok((kept, copied))
        };
        let loaded = loaded.await;
        if let Some(servers) = servers {
            servers.stop().await;
        }
        let (kept, copied) = loaded?;
        let position = manifest.position;
        if !self.format.is_text() {
            self.format.document(&json!({"position": position, "replaced": kept, "objectsCopied": copied}))?;
            return Ok(Outcome::Done);
        }
        out::line(&format!("database restored to position {position}; the one it replaces is now called {kept}"))?;
        out::line(&format!("{copied} missing objects copied to the store"))?;
        out::line(
            "Start LUCI, then see `luci restore plan`: what happened after that position is accepted by `luci restore accept`.",
        )?;
        Ok(Outcome::Done)
    }
}

/// Nobody connects to NATS meanwhile, and a new data folder has no master key yet: `luci up` gives its users their passwords.
fn unused_passwords() -> anyhow::Result<Passwords> {
    Ok(Passwords::new(&Vault::new(&random_hex(32)?.into())?)?)
}

/// The data folder whose private Postgres is the database, also one that is new.
fn own_folder(config: &Config) -> anyhow::Result<Option<Folder>> {
    let instance = InstanceFile::read(&config.data_dir).context("cannot read the data folder")?;
    let private = config.database_url.is_none() && instance.is_none_or(|file| file.private.database);
    Ok(if private { Some(Folder::open(&config.data_dir)?) } else { None })
}

/// The configured store, or that of the data folder; a new data folder gets one.
fn store(config: &Config, folder: Option<&Folder>) -> anyhow::Result<Storage> {
    match folder {
        Some(folder) if config.store.is_none() && !folder.path.join("instance.json").exists() => {
            let objects = folder.private_dir("objects").context("cannot create the store's folder")?;
            Ok(Storage::local(objects, String::new().into(), String::new())?)
        }
        _ => operator_store(config),
    }
}

/// Restores into a new database, then swaps the names; returns the name under which the former one is kept.
async fn database(tools: &PostgresTools, url: &SecretString, folder: &Path) -> anyhow::Result<String> {
    let options: PgConnectOptions = url.expose_secret().parse().context("cannot parse the database URL")?;
    let name = options.get_database().context("the database URL names no database")?.to_owned();
    let unused = |kind: &str| format!("{name}_{kind}_{}", Micros::now().seconds());
    let (fresh, kept) = (unused("restored"), unused("before"));
    let mut admin =
        options.clone().database("postgres").connect().await.context("cannot connect to database postgres")?;
    let others: i64 = sqlx::query_scalar("select count(*) from pg_stat_activity where datname = $1")
        .bind(&name)
        .fetch_one(&mut admin)
        .await?;
    ensure!(others == 0, "{others} sessions use database {name}: stop every LUCI process first");
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut admin)
        .await?;
    execute(&mut admin, format!("create database {} template template0", quoted(&fresh))).await?;
    let mut fresh_url = url::Url::parse(url.expose_secret())?;
    fresh_url.set_path(&fresh);
    let fresh_url = SecretString::from(fresh_url.to_string());
    let restored = async {
        let pool = migrate::connect_owner(fresh_url.expose_secret()).await?;
        migrate::create_roles(&pool).await?;
        let dump = folder.join(DUMP);
        tools.restore(&fresh_url, &dump).await?;
        owners::give_back(&pool, &tools.list(&dump).await?).await?;
        pool.close().await;
        anyhow::Ok(())
    };
    if let Err(error) = restored.await {
        execute(&mut admin, format!("drop database {} with (force)", quoted(&fresh))).await?;
        return Err(error);
    }
    if exists {
        execute(&mut admin, format!("alter database {} rename to {}", quoted(&name), quoted(&kept))).await?;
    }
    execute(&mut admin, format!("alter database {} rename to {}", quoted(&fresh), quoted(&name))).await?;
    admin.close().await?;
    Ok(kept)
}

async fn execute(c: &mut PgConnection, statement: String) -> anyhow::Result<()> {
    c.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Copies the objects that the store does not have; returns how many.
async fn objects(storage: &Storage, from: &Path) -> anyhow::Result<u64> {
    let mut copied = 0;
    let backup = Storage::local(from.to_owned(), String::new().into(), String::new())?;
    let mut listed = backup.list("");
    while let Some(object) = listed.try_next().await? {
        if storage.head(&object.path).await?.is_none() {
            let bytes = backup.get(&object.path).await?;
            storage.put_new(&object.path, bytes, "application/octet-stream").await?;
            copied += 1;
        }
    }
    Ok(copied)
}
