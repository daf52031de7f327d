//! Events are immutable: neither the roles nor the owner can change them, and a superuser's forced change is detected.

use luci_schema::{
    RunId, TenantId, Version,
    log::{Chain, ChainError, Log},
    migrate::{self, DatabaseRole},
};
use sqlx::{AssertSqlSafe, PgPool};

use super::{append, open};
use crate::support;

const CHANGES: [&str; 7] = [
    "update log.events set data = '{}'",
    "update log.events set position = position + 100",
    "delete from log.events",
    "truncate log.events",
    "update log.events_p000000 set data = '{}'",
    "delete from log.events_p000000",
    "truncate log.events_p000000",
];

async fn code(pool: &PgPool, statement: &'static str) -> String {
    match sqlx::query(AssertSqlSafe(statement)).execute(pool).await {
        Ok(done) => format!("{} rows changed", done.rows_affected()),
        Err(error) => error.as_database_error().and_then(|e| e.code()).map(|c| c.to_string()).unwrap_or_default(),
    }
}

#[tokio::test]
async fn no_role_may_change_events() {
    let database = support::database().await;
    let log = open(&database).await;
    log.append(append(TenantId::generate(), RunId::generate(), 0, 3)).await.expect("appended");
    for role in DatabaseRole::ALL {
        let pool = migrate::connect(database.url(), role, 1).await.expect("a pool");
        for change in CHANGES {
            assert_eq!(code(&pool, change).await, "42501", "{role:?}: {change}");
        }
    }
}

#[tokio::test]
async fn the_owner_may_not_change_events_even_as_a_replica() {
    let database = support::database().await;
    let log = open(&database).await;
    log.append(append(TenantId::generate(), RunId::generate(), 0, 3)).await.expect("appended");
    let owner = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(database.url()).await.expect("a pool");
    for session in ["set session_replication_role = origin", "set session_replication_role = replica"] {
        sqlx::query(session).execute(&owner).await.expect("set");
        for change in CHANGES {
            assert_eq!(code(&owner, change).await, "23001", "{session}: {change}");
        }
    }
}

#[tokio::test]
async fn partitions_made_later_are_guarded_too() {
    let database = support::database().await;
    let owner = database.pool().await;
    // As if ten million events had been written: the next append goes into the partition made ahead.
    sqlx::query("update log.head set position = 9999999").execute(&owner).await.expect("moved");
    let log = open(&database).await;
    let appended = log.append(append(TenantId::generate(), RunId::generate(), 0, 2)).await.expect("appended");
    assert_eq!(appended.position().0, 10_000_001);
    let partitions: i64 =
        sqlx::query_scalar("select count(*) from pg_inherits where inhparent = 'log.events'::regclass")
            .fetch_one(&owner)
            .await
            .expect("counted");
    assert!(partitions >= 2);
    for change in ["update log.events_p000001 set data = '{}'", "truncate log.events_p000001", "delete from log.events"]
    {
        assert_eq!(code(&owner, change).await, "23001", "{change}");
    }
    // Far beyond the partitions made in advance: the appender makes the missing one.
    sqlx::query("update log.head set position = 55000000").execute(&owner).await.expect("moved");
    let appended = log.append(append(TenantId::generate(), RunId::generate(), 0, 1)).await.expect("appended");
    assert_eq!(appended.position().0, 55_000_001);
}

#[tokio::test]
async fn forced_changes_are_found_in_sql_and_in_rust() {
    let database = support::database().await;
    let (log, owner) = (open(&database).await, database.pool().await);
    let tenant = TenantId::generate();
    // The change, the first bad version, and what the chain in Rust makes of it.
    let by_force = [
        ("update log.events set data = '{\"forged\":true}' where stream_id = $1 and version = 3", 3, "unreadable"),
        (
            "update log.events set data = replace(data::text, 'internal', 'external')::json
              where stream_id = $1 and version = 3",
            3,
            "wrong bytes",
        ),
        (
            "update log.events set actor = 'actor:actor_01JEX5BQZ8K3V6P9WMTN2RDC4F' where stream_id = $1 and version = 4",
            4,
            "wrong bytes",
        ),
        ("delete from log.events where stream_id = $1 and version = 2", 3, "wrong version"),
        (
            "update log.events set recorded_at = recorded_at + interval '1 microsecond' where stream_id = $1 and version = 5",
            5,
            "wrong bytes",
        ),
    ];
    for (change, first_bad, in_rust) in by_force {
        let run = RunId::generate();
        log.append(append(tenant, run, 0, 5)).await.expect("appended");
        let mut tx = owner.begin().await.expect("a transaction");
        sqlx::query("alter table log.events disable trigger all").execute(&mut *tx).await.expect("disabled");
        sqlx::query(change).bind(run.to_string()).execute(&mut *tx).await.expect(change);
        sqlx::query("alter table log.events enable always trigger events_immutable")
            .execute(&mut *tx)
            .await
            .expect("enabled");
        tx.commit().await.expect("committed");
        let found: Option<i64> = sqlx::query_scalar("select min(version) from log.verify_stream($1) where not ok")
            .bind(run.to_string())
            .fetch_one(&owner)
            .await
            .expect("verified");
        assert_eq!(found, Some(first_bad), "{change}");
        let (kind, version) = first_wrong(&log, tenant, run).await;
        assert_eq!(kind, in_rust, "{change}");
        assert!(version.is_none_or(|version| version.0 as i64 == first_bad), "{change}: {version:?}");
    }
}

/// What is wrong with a run's events, and at which version where they can be read.
async fn first_wrong(log: &Log, tenant: TenantId, run: RunId) -> (&'static str, Option<Version>) {
    let events = match log.read_stream(tenant, run.into(), Version(0), 10).await {
        Ok(events) => events,
        Err(error) => {
            assert!(error.is_damage(), "{error}");
            return ("unreadable", None);
        }
    };
    let mut chain = Chain::new(run.into());
    match events.iter().find_map(|event| chain.follow(event).err()).expect("the chain finds the change") {
        ChainError::Bytes { version } => ("wrong bytes", Some(version)),
        ChainError::Version { found, .. } => ("wrong version", Some(found)),
        other => panic!("{other}"),
    }
}
