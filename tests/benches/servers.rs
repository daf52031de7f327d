//! The servers that figures are taken on: those of `luci up`, fsync on, in folders that go when the benches end.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use anyhow::Context;
use async_nats::jetstream;
use luci::local::{Durability, Folder, Lifetime, Nats, Postgres, Search};
use luci_engine::broker;
use luci_schema::{RunId, migrate, subject::EVENT_STREAM};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// A private Postgres and a private nats-server, ended by the kernel when this thread ends.
pub struct Servers {
    postgres: Postgres,
    nats_url: String,
    _folders: Folder,
    _room: tempfile::TempDir,
}

impl Servers {
    /// To be called on the main thread: the servers end with the thread that started them.
    pub fn start(search: &Search) -> anyhow::Result<Self> {
        let room = tempfile::Builder::new().prefix("luci-bench-").tempdir_in("/var/tmp")?;
        fs::set_permissions(room.path(), fs::Permissions::from_mode(0o755))?;
        let folder = Folder::open(&room.path().join("data"))?;
        let postgres = Postgres::start(search, &folder, Durability::Fsync, Lifetime::WithStarter)?;
        let nats = Nats::start(search, &folder, Lifetime::WithStarter)?;
        let nats_url = nats.url();
        std::mem::forget(nats);
        Ok(Self { postgres, nats_url, _folders: folder, _room: room })
    }

    /// A new database, migrated. Answers its URL as the owner.
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

    /// Ends a load: its database goes, with all that Postgres would still do for it (vacuum, ANALYZE, dirty pages), so that
    /// the next load pays for nothing but itself.
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

    pub fn room(&self) -> &Path {
        self._room.path()
    }
}
