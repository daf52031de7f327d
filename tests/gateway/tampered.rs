//! A history changed by somebody with the database owner's rights: the first bad event is named.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::fixture::{start, still};
use crate::support::System;

/// The owner of the database, with the log's triggers disabled.
async fn intruder(system: &System) -> PgPool {
    let pool = system.database.pool().await;
    let guarded: Vec<String> = sqlx::query_scalar("select relid::regclass::text from pg_partition_tree('log.events')")
        .fetch_all(&pool)
        .await
        .expect("tables");
    for table in guarded {
        let unguarded = format!("alter table {table} disable trigger user");
        sqlx::query(sqlx::AssertSqlSafe(unguarded)).execute(&pool).await.expect("unguarded");
    }
    pool
}

async fn verified(change: &'static str) -> Value {
    let system = still().await;
    let (run, _) = start(&system.api, 3).await;
    system.api.post(&format!("/api/pipelines/{run}/cancel"), &json!({})).await;
    let path = format!("/api/pipelines/{run}/verify");
    let (_, before) = system.api.get(&path).await;
    assert_eq!((&before["intact"], &before["firstBad"], &before["version"]), (&json!(true), &Value::Null, &json!(2)));
    let pool = intruder(&system).await;
    let done = sqlx::query(change).bind(&run).execute(&pool).await.expect("changed");
    assert_eq!(done.rows_affected(), 1, "{change}");
    let (status, after) = system.api.get(&path).await;
    assert_eq!((status.as_u16(), &after["intact"]), (200, &json!(false)), "{change}: {after}");
    after["firstBad"].clone()
}

#[tokio::test]
async fn the_first_bad_event_is_named() {
    for (change, version, reason) in [
        (
            "update log.events set actor = 'system' where stream_id = $1 and version = 1",
            1,
            "the bytes of version 1 do not match its hash",
        ),
        (
            "update log.events set data = '[1]'::json where stream_id = $1 and version = 1",
            1,
            "version 1 cannot be decoded",
        ),
        (
            "update log.events set correlation_id = 'nobody' where stream_id = $1 and version = 2",
            2,
            "version 2 cannot be decoded",
        ),
        ("delete from log.events where stream_id = $1 and version = 1", 2, "version 2 stands where 1 should"),
        (
            "delete from log.events where stream_id = $1 and version = 2",
            2,
            "the history ends at version 1, but its head is version 2",
        ),
    ] {
        assert_eq!(verified(change).await, json!({"version": version, "reason": reason}), "{change}");
    }
}

#[tokio::test]
async fn an_unreadable_history_is_reported_as_unreadable() {
    let system = still().await;
    let (run, _) = start(&system.api, 3).await;
    let pool = intruder(&system).await;
    let change = "update log.events set data = '[1]'::json where stream_id = $1 and version = 1";
    sqlx::query(change).bind(&run).execute(&pool).await.expect("changed");
    let (status, problem) = system.api.get(&format!("/api/pipelines/{run}/events")).await;
    assert_eq!((status.as_u16(), &problem["type"]), (500, &json!("urn:luci:problem:history-damaged")), "{problem}");
}
