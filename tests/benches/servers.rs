//! The servers under measurement: those of `luci up`, with fsync, in temporary folders.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use anyhow::Context;
use async_nats::jetstream;
use luci::{
    broker::{BrokerUser, Passwords},
    local::{Durability, Folder, Lifetime, Nats, Postgres, Search},
};
use luci_config::vault::Vault;
use luci_runs::broker;
use luci_schema::{RunId, migrate, subject::EVENT_STREAM};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// A private Postgres and a private nats-server, ended by the kernel when this thread ends.
pub struct Servers {
    postgres: Postgres,
    nats_url: String,
    _folders: Folder,
    _dir: tempfile::TempDir,
}

impl Servers {
    /// To be called on the main thread: the servers end with the thread that started them.
    pub fn start(search: &Search) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("luci-bench-").tempdir_in("/var/tmp")?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let folder = Folder::open(&dir.path().join("data"))?;
        let postgres = Postgres::start(search, &folder, Durability::Fsync, Lifetime::WithStarter)?;
        let passwords = Passwords::new(&Vault::new(&"5a".repeat(32).into())?)?;
        let nats = Nats::start(search, &folder, &passwords, Lifetime::WithStarter)?;
        let nats_url = nats.url(BrokerUser::Operator);
        std::mem::forget(nats);
        Ok(Self { postgres, nats_url, _folders: folder, _dir: dir })
    }

    /// A new, migrated database. Returns the owner's URL.
    pub async fn database(&self) -> anyhow::Result<String> {
        let name = RunId::generate().to_string().to_lowercase();
        let mut connection = PgConnection::connect(&self.postgres.url("luci")).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await?;
        let url = self.postgres.url(&name);
        let pool = PgPool::connect(&url).await?;
        migrate::run(&pool).await?;
        pool.close().await;
        Ok(url)
    }

    /// Ends a load: drops its database with all pending work of Postgres (vacuum, ANALYZE, dirty pages), so that the next
    /// load is not slowed by it.
    pub async fn settle(&self, url: &str) -> anyhow::Result<()> {
        let (_, name) = url.rsplit_once('/').context("a database's URL")?;
        let mut connection = PgConnection::connect(&self.postgres.url("luci")).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("drop database {name} with (force)"))).execute(&mut connection).await?;
        sqlx::raw_sql("checkpoint").execute(&mut connection).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(())
    }

    /// A connection to the broker.
    pub async fn nats(&self) -> anyhow::Result<async_nats::Client> {
        let client = broker::connect(&self.nats_url, "bench").await?;
        client.flush().await?;
        Ok(client)
    }

    /// The broker without stream EVT: a database of its own needs one of its own.
    pub async fn forget_events(&self) -> anyhow::Result<()> {
        let context = jetstream::new(self.nats().await?);
        if context.get_stream(EVENT_STREAM).await.is_ok() {
            context.delete_stream(EVENT_STREAM).await?;
        }
        Ok(())
    }

    pub fn nats_url(&self) -> &str {
        &self.nats_url
    }

    pub fn dir(&self) -> &Path {
        self._dir.path()
    }
}
