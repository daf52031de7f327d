//! A database per test, copied from one that was migrated once.

use std::{
    str::FromStr,
    sync::{LazyLock, mpsc},
    thread,
};

use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

use super::servers::postgres_url;

/// A fresh, migrated database; dropped (also with open connections) when this value goes.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
}

/// A migrated database that nobody else uses.
pub async fn database() -> Database {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(make_template).await;
    create(&format!("template {template}")).await
}

/// An empty database, for tests of the migrations themselves.
pub async fn empty_database() -> Database {
    create("template template0").await
}

fn new_name(kind: &str) -> String {
    format!("{kind}_{}", luci_schema::RunId::generate().ulid().to_string().to_lowercase())
}

async fn create(template: &str) -> Database {
    let name = new_name("test");
    let mut admin = admin().await;
    let statement = format!("create database {name} {template}");
    admin.execute(sqlx::AssertSqlSafe(statement)).await.expect("a database");
    admin.close().await.expect("closed");
    Database { url: postgres_url(&name), name }
}

async fn admin() -> PgConnection {
    let options = PgConnectOptions::from_str(&postgres_url("postgres")).expect("our own url");
    options.disable_statement_logging().connect().await.expect("the shared Postgres")
}

/// A migrated database; returns its name, which is a new one each time: a test that is cancelled meanwhile leaves a half of
/// a template that nobody uses.
pub(super) async fn make_template() -> String {
    let name = new_name("template");
    let mut admin = admin().await;
    admin.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await.expect("a database");
    admin.close().await.expect("closed");
    let pool = PgPool::connect(&postgres_url(&name)).await.expect("the template");
    luci_schema::migrate::run(&pool).await.expect("migrated");
    pool.close().await;
    name
}

impl Database {
    /// `postgres://…`, as superuser; `luci_schema::migrate::connect` narrows it to a role.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Cuts every connection and lets none in, as an outage would.
    pub async fn close(&self) {
        self.admit("false").await;
        let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1";
        let cut = sqlx::query(cut).bind(&self.name).execute(&mut admin().await).await;
        cut.expect("connections are cut");
    }

    /// Ends the outage.
    pub async fn open(&self) {
        self.admit("true").await;
    }

    /// A copy as a backup would be; takes a moment in which nobody can connect.
    pub async fn backup(&self) -> Backup {
        self.close().await;
        let name = new_name("backup");
        let statement = format!("create database {name} template {}", self.name);
        admin().await.execute(sqlx::AssertSqlSafe(statement)).await.expect("copied");
        self.open().await;
        Backup(name)
    }

    /// Puts a backup in the place of this database, under whoever is connected.
    pub async fn restore(&self, backup: Backup) {
        self.close().await;
        let mut admin = admin().await;
        for statement in [
            format!("drop database {} with (force)", self.name),
            format!("alter database {} rename to {}", backup.0, self.name),
        ] {
            admin.execute(sqlx::AssertSqlSafe(statement)).await.expect("restored");
        }
    }

    async fn admit(&self, whether: &str) {
        let statement = format!("alter database {} with allow_connections {whether}", self.name);
        admin().await.execute(sqlx::AssertSqlSafe(statement)).await.expect("altered");
    }

    /// A small pool as superuser: row-level security does not apply to it.
    pub async fn pool(&self) -> PgPool {
        let options = sqlx::postgres::PgPoolOptions::new().max_connections(5);
        options.connect(&self.url).await.expect("the database of this test")
    }
}

/// The name of a database that was copied.
#[derive(Debug)]
pub struct Backup(String);

static DROPPER: LazyLock<mpsc::Sender<String>> = LazyLock::new(|| {
    let (names, inbox) = mpsc::channel::<String>();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for name in inbox {
            runtime.block_on(async {
                let statement = format!("drop database if exists {name} with (force)");
                let _the_server_goes_anyway = admin().await.execute(sqlx::AssertSqlSafe(statement)).await;
            });
        }
    });
    names
});

impl Drop for Database {
    fn drop(&mut self) {
        let _the_process_is_ending = DROPPER.send(std::mem::take(&mut self.name));
    }
}
