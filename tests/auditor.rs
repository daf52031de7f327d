//! A login of an auditor reads its tenant by SQL, and nothing else whatever it tries.

use luci_schema::TenantId;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::{
    gateway::fixture::{start, whole},
    support::{Api, System, output, temp_dir},
};

/// The login's URL, as the real binary prints it.
async fn login(system: &System, tenant: TenantId, name: &str) -> String {
    let tenant = tenant.to_string();
    let arguments = ["auditor", "create", "--tenant", &tenant, "--name", name, "--json"];
    let done = output(&temp_dir("operator"), &arguments, &[("LUCI_DATABASE_URL", system.database.url())]).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let made: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    made["url"].as_str().expect("a URL").to_owned()
}

/// A name that no other test's login has: roles belong to the server.
fn unique(name: &str) -> String {
    format!("{name}_{}", luci_schema::RunId::generate().to_string().to_lowercase().trim_start_matches("run_"))
}

async fn count(c: &mut PgConnection, sql: &str) -> i64 {
    let sql = format!("select count(*) from ({}) as found", sql.trim_end().trim_end_matches(';'));
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
        .fetch_one(c)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Every view has rows of one tenant only: as many as that tenant has.
async fn sees_only(c: &mut PgConnection, system: &System) {
    let pool = system.database.pool().await;
    for (view, table) in
        [("events", "log.events"), ("runs", "pipeline_runs"), ("artifacts", "artifacts"), ("imports", "imports")]
    {
        let seen = count(c, &format!("select from audit.{view}")).await;
        let sql = format!("select count(*) from {table} where tenant_id = $1");
        let own: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(system.tenant).fetch_one(&pool).await.expect("a count");
        assert!(seen == own && seen > 0, "{view}: {seen} of {own}");
    }
}

/// What a hostile login may try.
const FORBIDDEN: [&str; 24] = [
    "set role luci_engine",
    "set role luci_auditor",
    "set session authorization postgres",
    "select * from log.events",
    "select * from public.leads",
    "select * from read_a.pipeline_runs",
    "select * from pipeline_runs",
    "select * from audit.logins",
    "update audit.events set actor = 'x'",
    "delete from audit.history_reads",
    "insert into audit.history_reads (actor) values ('x')",
    "create table audit.mine (a int)",
    "create table public.mine (a int)",
    "create temporary table mine (a int)",
    "create function audit.tenant() returns text language sql as 'select null'",
    "select lo_create(0)",
    "select pg_advisory_lock(1)",
    "select public.read_serve('read_b')",
    "select log.ensure_partitions()",
    "select public.erase_person_rows('x', '{}', '{}', '{}')",
    "select audit.create_login('x', 'luci_auditor_x', 'x')",
    "select pg_read_file('/etc/passwd')",
    "copy (select 1) to program 'true'",
    "alter view audit.events owner to current_user",
];

/// Settings and roles do not lead to the other tenant, and nothing can be written or called.
async fn cannot_break_out(c: &mut PgConnection, other: TenantId) {
    for attempt in [
        format!("set app.tenant_id = '{other}'"),
        "set search_path = public, log, audit".to_owned(),
        "set default_transaction_read_only = off".to_owned(),
    ] {
        c.execute(sqlx::AssertSqlSafe(attempt)).await.expect("a setting of its own session");
        let theirs = format!("select from audit.events where stream_id = '{other}' or data::text like '%{other}%'");
        assert_eq!(count(c, &theirs).await, 0);
    }
    c.execute("set row_security = off").await.expect("a setting of its own session");
    assert!(c.execute("select * from audit.events").await.is_err(), "it turns an answer into an error");
    c.execute("set row_security = on").await.expect("a setting of its own session");
    for attempt in FORBIDDEN {
        assert!(c.execute(attempt).await.is_err(), "{attempt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditors_login_sees_its_tenant_and_can_do_nothing_else() {
    let (system, _sandbox) = whole().await;
    let (other, other_api) = system.other_tenant("other").await;
    for api in [&system.api, &other_api] {
        let (run, _) = start(api, 3).await;
        api.run_ended(&run).await;
    }
    let url = login(&system, system.tenant, &unique("a")).await;
    let mut c = PgConnection::connect(&url).await.expect("a login");

    // The queries of the document run as they are printed.
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/docs/auditor-sql.md")).expect("it");
    let queries: Vec<&str> = document.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(queries.len(), 10);
    for query in &queries {
        count(&mut c, query).await;
    }
    assert!(count(&mut c, queries[1]).await == 1 && count(&mut c, queries[2]).await > 10, "the run and its history");
    assert_eq!(count(&mut c, queries[3]).await, 0, "no gap");

    sees_only(&mut c, &system).await;
    cannot_break_out(&mut c, other).await;

    let theirs = login(&system, other, &unique("b")).await;
    let mut theirs = PgConnection::connect(&theirs).await.expect("a login");
    let own: Vec<String> = sqlx::query_scalar("select run_id from audit.runs").fetch_all(&mut c).await.expect("runs");
    let seen: Vec<String> =
        sqlx::query_scalar("select run_id from audit.runs").fetch_all(&mut theirs).await.expect("runs");
    assert!(own.len() == 1 && seen.len() == 1 && own != seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_has_a_history_and_an_auditors_reading_is_recorded_once() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let (run, _) = start(api, 2).await;
    api.run_ended(&run).await;
    let (_, made) = api.post("/api/keys", &json!({"role": "auditor", "name": "auditor"})).await;
    let auditor = Api::new(api.url.clone(), made["key"].as_str().expect("a key"));
    let (_, imports) = api.get("/api/imports").await;
    let import = imports["imports"][0]["importId"].as_str().expect("an id");
    let tenant = system.tenant.to_string();
    for (stream, first) in
        [(run.as_str(), "run:queued"), (import, "import:completed"), (tenant.as_str(), "tenant:created")]
    {
        let (status, page) = auditor.get(&format!("/api/streams/{stream}/events?limit=2")).await;
        assert_eq!((status.as_u16(), &page["events"][0]["type"]), (200, &json!(first)), "{page}");
        if let Some(next) = page["nextCursor"].as_str() {
            assert_eq!(auditor.get(&format!("/api/streams/{stream}/events?limit=2&cursor={next}")).await.0, 200);
        }
    }
    assert_eq!(auditor.get(&format!("/api/streams/{}/events", luci_schema::RunId::generate())).await.0, 404);
    let (_, other) = system.other_tenant("other").await;
    assert_eq!(other.get(&format!("/api/streams/{run}/events")).await.0, 404, "of another tenant");
    // The owner's reading is not recorded, the auditor's once for each stream.
    assert_eq!(
        api.request(Method::GET, &format!("/api/streams/{run}/events")).send().await.expect("an answer").status(),
        200
    );
    let reads: Vec<String> = sqlx::query_scalar("select stream_id from history_reads order by id")
        .fetch_all(&system.database.pool().await)
        .await
        .expect("rows");
    assert_eq!(reads, [run.as_str(), import, &tenant]);
}
