//! `luci backup`: database and stored objects as of one position of the log, in a folder.
//!
//! The database is dumped first, by a snapshot. Objects are named by events and never changed, so a copy made afterwards has
//! every object that the dump names; some that are newer do no harm. Uploads that were not completed are left out: no event
//! names them, and they change and go.

mod manifest;
pub mod postgres_tools;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use futures::TryStreamExt as _;
use luci_schema::{
    Micros,
    log::head_and_epoch,
    migrate,
    object_key::{ObjectKey, ObjectLocation},
};
use luci_storage::Storage;
use secrecy::SecretString;
use serde_json::json;
use sqlx::{Executor as _, PgConnection};
use tokio::io::AsyncWriteExt as _;

pub use self::manifest::{DUMP, Manifest, OBJECTS};
use self::{manifest::DumpFile, postgres_tools::PostgresTools};
use super::{
    Outcome,
    audit::seals::operator_store,
    migrate::database_url,
    out::{self, Format},
};
use crate::config::Config;

#[derive(Debug, Args)]
pub struct Backup {
    /// Folder to write to; created, and must be empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    format: Format,
}

impl Backup {
    /// While LUCI runs. Keys are not part of it.
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let folder = self.folder;
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        ensure!(std::fs::read_dir(&folder)?.next().is_none(), "{} is not empty", folder.display());
        let url = database_url(config)?;
        let storage = operator_store(config)?;
        let pool = migrate::connect_owner(&url).await.context("cannot connect to the database")?;
        let mut c = pool.acquire().await?;
        let mut manifest = dump(&mut c, &PostgresTools::find(&config.search)?, &url.into(), &folder).await?;
        drop(c);
        pool.close().await;
        (manifest.objects, manifest.object_bytes) = copy_objects(&storage, &folder.join(OBJECTS)).await?;
        // Last: a backup without it was interrupted.
        manifest.write(&folder)?;
        let Manifest { position, objects, object_bytes, .. } = &manifest;
        if !self.format.is_text() {
            self.format.document(&json!(manifest))?;
        } else {
            let bytes = manifest.database.size_bytes;
            out::line(&format!(
                "database up to position {position}, {bytes} bytes; {objects} objects, {object_bytes} bytes"
            ))?;
            out::line(
                "Keep a copy of the keys elsewhere: the master key (LUCI_MASTER_KEY or master.key) and the seal key \
                (LUCI_SEAL_KEY or seal.key) are not part of a backup, and without the master key no secret can be read.",
            )?;
        }
        Ok(Outcome::Done)
    }
}

/// Dumps the database as one transaction sees it, and records that transaction's position.
async fn dump(
    c: &mut PgConnection,
    tools: &PostgresTools,
    url: &SecretString,
    folder: &std::path::Path,
) -> anyhow::Result<Manifest> {
    c.execute("begin isolation level repeatable read read only").await?;
    let (position, epoch) = head_and_epoch(c).await?;
    let schema_version: i64 =
        sqlx::query_scalar("select max(version) from _sqlx_migrations where success").fetch_one(&mut *c).await?;
    let snapshot: String = sqlx::query_scalar("select pg_export_snapshot()").fetch_one(&mut *c).await?;
    let file = folder.join(DUMP);
    tools.dump(url, &snapshot, &file).await?;
    c.execute("rollback").await?;
    Ok(Manifest {
        format: manifest::FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: Micros::now().rfc3339(),
        epoch,
        position: position.0,
        schema_version,
        database: DumpFile::of(&file).await?,
        objects: 0,
        object_bytes: 0,
    })
}

/// Copies every object of the store; returns their number and bytes.
async fn copy_objects(storage: &Storage, to: &std::path::Path) -> anyhow::Result<(u64, u64)> {
    let (mut objects, mut bytes) = (0, 0);
    let mut listed = storage.list("");
    while let Some(object) = listed.try_next().await.context("cannot list the store")? {
        if is_staging(&object.path) {
            continue;
        }
        let path = to.join(&object.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut file = tokio::fs::File::create(&path).await?;
        let mut body = storage.read_from(&object.path, 0);
        while let Some(chunk) = body.try_next().await? {
            bytes += chunk.len() as u64;
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        objects += 1;
    }
    Ok((objects, bytes))
}

fn is_staging(object_path: &str) -> bool {
    let staged = |place| matches!(place, ObjectLocation::Staging { .. } | ObjectLocation::StagedPart { .. });
    object_path.parse::<ObjectKey>().is_ok_and(|key| staged(key.place))
}
