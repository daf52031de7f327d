//! What a start refuses, by name: tables of another version, an event past the head, a lost or other key.

use crate::support::{self, MASTER_KEY, Servers, empty_database, luci, output, temp_dir};

/// The errors of `luci serve projections` on a database; it must refuse to start.
async fn serve(database_url: &str, master_key: &str) -> String {
    let dir = temp_dir("serve");
    let store = format!("file://{}", dir.join("objects").display());
    let variables = [
        ("LUCI_DATABASE_URL", database_url),
        ("LUCI_NATS_URL", "nats://127.0.0.1:1"),
        ("LUCI_STORE_URL", store.as_str()),
        ("LUCI_MASTER_KEY", master_key),
        ("LUCI_PUBLIC_URL", "http://127.0.0.1:1"),
    ];
    let ended = output(&dir, &["serve", "projections"], &variables).await;
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{errors}");
    errors
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_version_are_named() {
    let empty = empty_database().await;
    let refused = serve(empty.url(), MASTER_KEY).await;
    assert!(refused.contains("the database has no tables of LUCI: run `luci migrate`"), "{refused}");

    let database = support::database().await;
    let owner = database.pool().await;
    let change = async |sql: &'static str| sqlx::query(sql).execute(&owner).await.expect("changed");
    change("delete from _sqlx_migrations where version = 520").await;
    let refused = serve(database.url(), MASTER_KEY).await;
    assert!(refused.contains("1 migrations are missing, the first is 0520 object store"), "{refused}");
    change(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (520, 'object store', true, '', 0), (9999, 'from later', true, '', 0)",
    )
    .await;
    let refused = serve(database.url(), MASTER_KEY).await;
    assert!(refused.contains("does not know migration 9999"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_past_the_head_is_named_and_refused() {
    let system = support::system_with(support::SystemOptions::default()).await;
    let owner = system.database.pool().await;
    sqlx::query(
        "insert into log.events select (select position + 1 from log.head), 9, recorded_at, schema_version, 'ev_' || stream_id,
           event_type, tenant_id, stream_id, actor, command_id, correlation_id, causation_id, data, metadata, previous_hash, hash
         from log.events where position = 1",
    )
    .execute(&owner)
    .await
    .expect("inserted");
    let position: i64 =
        sqlx::query_scalar("select max(position) from log.events").fetch_one(&owner).await.expect("one");
    let body = serde_json::json!({"name": "auditors", "role": "auditor"});
    let (status, problem) = system.api.post("/api/keys", &body).await;
    let named = format!("an event at position {position} is past the head");
    assert_eq!((status.as_u16(), &problem["type"]), (503, &"urn:luci:problem:log-damaged".into()), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&named)), "{problem}");
    let refused = serve(system.database.url(), MASTER_KEY).await;
    assert!(refused.contains(&named), "{refused}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_other_key_is_refused() {
    let (database, nats) = tokio::join!(support::database(), support::nats());
    let mut luci = luci(Servers::on(&database, &nats)).await;
    luci.stop().await;
    let refused = serve(database.url(), MASTER_KEY).await;
    assert!(refused.contains("the master key is not the one that this database was used with"), "{refused}");
    let servers = [("LUCI_DATABASE_URL", database.url()), ("LUCI_NATS_URL", nats.url())];
    for key in ["master.key", "seal.key"] {
        let (path, away) = (luci.data_dir.join(key), luci.data_dir.join("away"));
        std::fs::rename(&path, &away).expect("there");
        let ended = output(&luci.data_dir, &["up", "--listen", "127.0.0.1:0"], &servers).await;
        let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{errors}");
        assert!(errors.contains(&format!("{key} is missing. Restore it from a backup")), "{errors}");
        assert!(!path.exists(), "{key} was generated again");
        std::fs::rename(&away, &path).expect("there");
    }
    luci.start().await;
    assert_eq!(luci.api().get("/api/pipelines").await.0, 200);
}
