//! The database made ready: the roles, which belong to the cluster, and then the migrations, embedded in the binary.
//!
//! A role is chosen when a pool connects; what it may do is in the migrations. The login user is a member of each.

use std::time::{Duration, Instant};

use sqlx::{
    ConnectOptions as _, Executor, PgConnection, PgPool, Postgres, Row, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::TenantId;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// In whose name a connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Appends, keeps the book and the configuration.
    Engine,
    /// Folds the log into read tables.
    Projector,
    /// Reads one tenant's rows, see `tenant_tx`.
    Gateway,
    /// Reads one tenant's rows, history included.
    Auditor,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Engine, Self::Projector, Self::Gateway, Self::Auditor];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Engine => "luci_engine",
            Self::Projector => "luci_projector",
            Self::Gateway => "luci_gateway",
            Self::Auditor => "luci_auditor",
        }
    }

    fn make(self) -> &'static str {
        match self {
            Self::Engine => "create role luci_engine nologin",
            Self::Projector => "create role luci_projector nologin",
            Self::Gateway => "create role luci_gateway nologin",
            Self::Auditor => "create role luci_auditor nologin",
        }
    }

    fn grant(self) -> &'static str {
        match self {
            Self::Engine => "grant luci_engine to current_user",
            Self::Projector => "grant luci_projector to current_user",
            Self::Gateway => "grant luci_gateway to current_user",
            Self::Auditor => "grant luci_auditor to current_user",
        }
    }
}

/// Why the database could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("the roles could not be made: {0}")]
    Roles(sqlx::Error),
    #[error(transparent)]
    Migrations(#[from] sqlx::migrate::MigrateError),
    #[error("the migrations that were applied could not be read: {0}")]
    Applied(sqlx::Error),
}

/// A migration by its number and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub version: i64,
    pub description: String,
}

/// Makes the roles and applies every migration that is not applied yet; answers those. As the database's owner, who may
/// create roles unless they exist.
pub async fn run(pool: &PgPool) -> Result<Vec<Pending>, MigrateError> {
    for role in Role::ALL {
        make_role(pool, role).await.map_err(MigrateError::Roles)?;
    }
    let pending = pending(pool).await?;
    MIGRATIONS.run(pool).await?;
    Ok(pending)
}

/// The migrations that `run` would apply now, in order. Changes nothing.
pub async fn pending(pool: &PgPool) -> Result<Vec<Pending>, MigrateError> {
    let applied = applied(pool).await.map_err(MigrateError::Applied)?;
    let missing = MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version));
    Ok(missing.map(|m| Pending { version: m.version, description: m.description.to_string() }).collect())
}

async fn applied(pool: &PgPool) -> Result<Vec<i64>, sqlx::Error> {
    let made: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(pool).await?;
    match made {
        true => sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(pool).await,
        false => Ok(Vec::new()),
    }
}

/// Another database of the cluster may be made ready at the same moment: then it is looked again.
async fn make_role(pool: &PgPool, role: Role) -> Result<(), sqlx::Error> {
    let mut tries = 0;
    loop {
        match make_role_once(pool, role).await {
            Ok(()) => return Ok(()),
            Err(error) if tries < 20 && at_the_same_moment(&error) => tries += 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn make_role_once(pool: &PgPool, role: Role) -> Result<(), sqlx::Error> {
    let row = sqlx::query(
        "select exists (select from pg_roles where rolname = $1) as made,
                exists (select from pg_auth_members m where m.roleid = r.oid and m.member = u.oid) as granted
           from pg_roles u left join pg_roles r on r.rolname = $1 where u.rolname = current_user",
    )
    .bind(role.as_str())
    .fetch_one(pool)
    .await?;
    if !row.try_get::<bool, _>("made")? {
        pool.execute(role.make()).await?;
    }
    if !row.try_get::<bool, _>("granted")? {
        pool.execute(role.grant()).await?;
    }
    Ok(())
}

/// Unique violation, duplicate object, or "tuple concurrently updated".
fn at_the_same_moment(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    matches!(code.as_deref(), Some("23505" | "42710" | "XX000"))
}

/// How long a server that is just starting is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection of the database's owner, for migrations. Of a server that cannot be reached it says what a connection met;
/// a pool would only say that time ran out.
pub async fn connect_owner(url: &str) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let started = Instant::now();
    while let Err(error) = options.connect().await {
        if !may_come(&error) || started.elapsed() > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    PgPoolOptions::new().max_connections(1).connect_with(options).await
}

/// Nobody listens, or the server says that it cannot take connections now.
fn may_come(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || error.as_database_error().and_then(|e| e.code()).as_deref() == Some("57P03")
}

/// A pool whose connections work in the name of a role. Its connections come back without an open transaction, whatever
/// happened to the future that used them: a tenant's setting cannot reach the next borrower.
pub async fn connect(url: &str, role: Role, max_connections: u32) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let mut options = options
        .application_name(role.as_str())
        .options([("role", role.as_str()), ("idle_in_transaction_session_timeout", "30s")]);
    options = match role {
        // A plan made while a table was new must not read all of it when it has grown: row by row over the indexes is right
        // for any size.
        Role::Engine => {
            options.options([("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")])
        }
        // What is lost with a crash is folded again: the checkpoint is in the same transaction.
        Role::Projector => options.options([("synchronous_commit", "off")]),
        Role::Gateway | Role::Auditor => options.options([("statement_timeout", "30s")]),
    };
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(10))
        .after_release(|c, _| Box::pin(async move { end_transaction(c).await.map(|()| true) }))
        .connect_with(options)
        .await
}

/// Ends the transaction that a borrower who was cancelled may have left open. A bare `rollback` of nothing would be a
/// warning in the server's log each time.
pub async fn end_transaction(c: &mut PgConnection) -> Result<(), sqlx::Error> {
    match c.execute("begin; rollback").await {
        Ok(_) => Ok(()),
        // A transaction that failed takes no `begin`.
        Err(sqlx::Error::Database(_)) => c.execute("rollback").await.map(drop),
        Err(error) => Err(error),
    }
}

/// A transaction that sees one tenant's rows and no others: for pools of the gateway and the auditor.
pub async fn tenant_tx(pool: &PgPool, tenant: TenantId) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("select set_config('app.tenant_id', $1, true)").bind(tenant).execute(&mut *tx).await?;
    Ok(tx)
}
