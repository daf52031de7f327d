//! Prepares the database: creates the roles, which belong to the cluster, then applies the migrations embedded in the binary.
//!
//! A pool sets its role when it connects; the migrations grant the role's rights. The login user is a member of each role.

use std::time::{Duration, Instant};

use sqlx::{
    ConnectOptions as _, Executor, PgConnection, PgPool, Postgres, Row, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::TenantId;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The database role of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseRole {
    /// Appends events and writes domain and configuration tables.
    Engine,
    /// Folds the log into read tables.
    Projector,
    /// Reads one tenant's rows; see `tenant_tx`.
    Gateway,
    /// Reads one tenant's rows, history included.
    Auditor,
}

impl DatabaseRole {
    pub const ALL: [Self; 4] = [Self::Engine, Self::Projector, Self::Gateway, Self::Auditor];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Engine => "luci_engine",
            Self::Projector => "luci_projector",
            Self::Gateway => "luci_gateway",
            Self::Auditor => "luci_auditor",
        }
    }

    fn create_sql(self) -> &'static str {
        match self {
            Self::Engine => "create role luci_engine nologin",
            Self::Projector => "create role luci_projector nologin",
            Self::Gateway => "create role luci_gateway nologin",
            Self::Auditor => "create role luci_auditor nologin",
        }
    }

    fn grant_sql(self) -> &'static str {
        match self {
            Self::Engine => "grant luci_engine to current_user",
            Self::Projector => "grant luci_projector to current_user",
            Self::Gateway => "grant luci_gateway to current_user",
            Self::Auditor => "grant luci_auditor to current_user",
        }
    }
}

/// Why the database could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("cannot create the database roles: {0}")]
    Roles(sqlx::Error),
    #[error(transparent)]
    Migrations(#[from] sqlx::migrate::MigrateError),
    #[error("cannot read the applied migrations: {0}")]
    Applied(sqlx::Error),
}

/// A migration's number and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub version: i64,
    pub description: String,
}

/// Creates missing roles and applies pending migrations; returns the latter. The pool's user must own the database, and may
/// need the right to create roles.
pub async fn run(pool: &PgPool) -> Result<Vec<Pending>, MigrateError> {
    create_roles(pool).await?;
    let pending = pending(pool).await?;
    MIGRATIONS.run(pool).await?;
    Ok(pending)
}

/// Creates the roles that are missing; they belong to the cluster, not to the database.
pub async fn create_roles(pool: &PgPool) -> Result<(), MigrateError> {
    for role in DatabaseRole::ALL {
        create_role(pool, role).await.map_err(MigrateError::Roles)?;
    }
    sqlx::query(SQL_AUDITORS).execute(pool).await.map_err(MigrateError::Roles)?;
    Ok(())
}

/// What the logins of auditors have in common. No role of LUCI is a member, nor is it one of another. Another database of the
/// cluster may make it at the same time.
const SQL_AUDITORS: &str = "do $$ begin
        if not exists (select from pg_roles where rolname = 'luci_sql_auditor') then
            create role luci_sql_auditor nologin;
        end if;
    exception when duplicate_object or unique_violation then null;
    end $$";

/// The migrations that `run` would apply now, in order. Changes nothing.
pub async fn pending(pool: &PgPool) -> Result<Vec<Pending>, MigrateError> {
    let applied = applied(pool).await.map_err(MigrateError::Applied)?;
    let missing = MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version));
    Ok(missing.map(|m| Pending { version: m.version, description: m.description.to_string() }).collect())
}

async fn applied(pool: &PgPool) -> Result<Vec<i64>, sqlx::Error> {
    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(pool).await?;
    match exists {
        true => sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(pool).await,
        false => Ok(Vec::new()),
    }
}

/// Why this version cannot work with the tables of the database.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the database has no tables of LUCI: run `luci migrate`")]
    Empty,
    #[error(
        "the database's tables are older than this version: {missing} migrations are missing, the first is {first}; run `luci migrate`"
    )]
    Older { first: String, missing: usize },
    #[error(
        "the database's tables are newer than this version, which does not know migration {0:04}; start the version that applied it"
    )]
    Newer(i64),
    #[error("cannot read the applied migrations: {0}")]
    Database(#[from] sqlx::Error),
}

/// Whether the database has exactly the tables of this version. Changes nothing.
pub async fn check_schema(url: &str) -> Result<(), SchemaError> {
    let mut c = url.parse::<PgConnectOptions>()?.connect().await?;
    let exists: bool =
        sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(&mut c).await?;
    if !exists {
        return Err(SchemaError::Empty);
    }
    let applied: Vec<i64> =
        match sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(&mut c).await {
            Ok(applied) => applied,
            // Tables of a release that did not grant this.
            Err(error) if error.as_database_error().and_then(|e| e.code()).as_deref() == Some("42501") => Vec::new(),
            Err(error) => return Err(error.into()),
        };
    if let Some(unknown) = applied.iter().find(|version| MIGRATIONS.iter().all(|m| m.version != **version)) {
        return Err(SchemaError::Newer(*unknown));
    }
    let mut missing = MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version));
    match missing.next() {
        Some(m) => Err(SchemaError::Older {
            first: format!("{:04} {}", m.version, m.description),
            missing: 1 + missing.count(),
        }),
        None => Ok(()),
    }
}

/// Retries when another database of the cluster is prepared at the same time.
async fn create_role(pool: &PgPool, role: DatabaseRole) -> Result<(), sqlx::Error> {
    let mut tries = 0;
    loop {
        match create_role_once(pool, role).await {
            Ok(()) => return Ok(()),
            Err(error) if tries < 20 && is_concurrent_change(&error) => tries += 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn create_role_once(pool: &PgPool, role: DatabaseRole) -> Result<(), sqlx::Error> {
    let row = sqlx::query(
        "select exists (select from pg_roles where rolname = $1) as role_exists,
                -- From PostgreSQL 16 on, who creates a role is made a member that may not `set role`.
                exists (select from pg_auth_members m where m.roleid = r.oid and m.member = u.oid
                           and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)) as granted
           from pg_roles u left join pg_roles r on r.rolname = $1 where u.rolname = current_user",
    )
    .bind(role.as_str())
    .fetch_one(pool)
    .await?;
    if !row.try_get::<bool, _>("role_exists")? {
        pool.execute(role.create_sql()).await?;
    }
    if !row.try_get::<bool, _>("granted")? {
        pool.execute(role.grant_sql()).await?;
    }
    Ok(())
}

/// Unique violation, duplicate object, or "tuple concurrently updated".
fn is_concurrent_change(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    matches!(code.as_deref(), Some("23505" | "42710" | "XX000"))
}

/// Longest wait for a server that is starting.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A pool of one connection of the database's owner, for migrations. It connects directly first, for the cause of a failure:
/// a pool would only report a timeout.
pub async fn connect_owner(url: &str) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let started = Instant::now();
    while let Err(error) = options.connect().await {
        if !may_be_starting(&error) || started.elapsed() > START_TIMEOUT {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    PgPoolOptions::new().max_connections(1).connect_with(options).await
}

/// Nothing listens, or the server does not accept connections yet.
fn may_be_starting(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || error.as_database_error().and_then(|e| e.code()).as_deref() == Some("57P03")
}

/// A pool whose connections use a role. Connections are returned without an open transaction, even when the future that used
/// them was dropped, so that a tenant's setting cannot reach the next user.
pub async fn connect(url: &str, role: DatabaseRole, max_connections: u32) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let mut options = options
        .application_name(role.as_str())
        .options([("role", role.as_str()), ("idle_in_transaction_session_timeout", "30s")]);
    options = match role {
        DatabaseRole::Engine => options.options([("statement_timeout", "60s"), ("lock_timeout", "20s")]),
        // A rebuild folds with long statements, and waits for readers before it exchanges the views.
        DatabaseRole::Projector => options.options([("statement_timeout", "10min"), ("lock_timeout", "60s")]),
        DatabaseRole::Gateway | DatabaseRole::Auditor => {
            options.options([("statement_timeout", "30s"), ("lock_timeout", "5s")])
        }
    };
    options = match role {
        // A plan cached while a table was small must not scan it when it has grown: index lookups are right for any size.
        DatabaseRole::Engine => {
            options.options([("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")])
        }
        // What a crash loses is folded again: the checkpoint is in the same transaction.
        DatabaseRole::Projector => options.options([("synchronous_commit", "off")]),
        DatabaseRole::Gateway | DatabaseRole::Auditor => options,
    };
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(10))
        .after_release(|c, _| Box::pin(async move { end_transaction(c).await.map(|()| true) }))
        .connect_with(options)
        .await
}

/// Ends the transaction that a dropped future may have left open. `begin` first: a `rollback` without a transaction would
/// write a warning to the server's log each time.
pub async fn end_transaction(c: &mut PgConnection) -> Result<(), sqlx::Error> {
    match c.execute("begin; rollback").await {
        Ok(_) => Ok(()),
        // A failed transaction refuses `begin`.
        Err(sqlx::Error::Database(_)) => c.execute("rollback").await.map(drop),
        Err(error) => Err(error),
    }
}

/// A transaction that sees only one tenant's rows, for pools of the gateway and the auditor.
pub async fn tenant_tx(pool: &PgPool, tenant: TenantId) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("select set_config('app.tenant_id', $1, true)").bind(tenant).execute(&mut *tx).await?;
    Ok(tx)
}
