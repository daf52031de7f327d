//! A backup from before an erasure is restored: the person is erased again, in whatever the restore brought back.

use std::{path::Path, process::Stdio, time::Duration};

use luci_schema::TenantId;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{EMAIL, PHONE, completed, file, paused_run, traces, traces_below};
use crate::support::{self, Api, Database, Luci, Servers, output, search, temp_dir};

/// Runs the program with the servers of the test, and returns the JSON that it prints.
async fn run(luci: &Luci, urls: &[(&str, &str)], arguments: &[&str]) -> Value {
    let output = output(&luci.data_dir, arguments, urls).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?} printed no JSON"))
}

async fn import(api: &Api, csv: String) -> Value {
    let request = api.request(Method::POST, "/api/imports?fileName=leads.csv").header("content-type", "text/csv");
    let import: Value = request.body(csv).send().await.expect("an answer").json().await.expect("JSON");
    import["importId"].clone()
}

/// A file with the person that became leads, and one that no run has read.
async fn data_of_the_person(api: &Api) -> String {
    let stage = |stage: &str| json!({"name": stage, "stage": stage, "config": {}});
    let stages = ["import", "validate", "score", "assign"].map(stage);
    let (status, made) = api.post("/api/blueprints", &json!({"name": "short", "stages": stages})).await;
    assert_eq!(status, 201, "{made}");
    let start =
        json!({"importId": import(api, file()).await, "blueprintId": made["blueprintId"], "options": {"blockSize": 2}});
    let (status, started) = api.post("/api/pipelines", &start).await;
    assert_eq!(status, 202, "{started}");
    let run_id = started["runId"].as_str().expect("an id").to_owned();
    api.run_ended(&run_id).await;
    import(api, file().replace("Firm", "Other")).await;
    run_id
}

/// The lines of a dump of the database that have something of the person, without those of a tenant.
async fn in_database(database: &Database, but: TenantId) -> Vec<String> {
    let tools = search().postgres(None).expect("the programs of Postgres");
    let dump = tokio::process::Command::new(tools.join("pg_dump")).arg(database.url()).output().await.expect("it runs");
    assert!(dump.status.success());
    let text = String::from_utf8_lossy(&dump.stdout).into_owned();
    let lines = text.lines().filter(|line| !traces(line.as_bytes()).is_empty() && !line.contains(&but.to_string()));
    lines.map(|line| line.chars().take(300).collect()).collect()
}

async fn checked(luci: &Luci, urls: &[(&str, &str)]) {
    let store = format!("file://{}", luci.data_dir.join("objects").display());
    let urls = [urls, &[("LUCI_STORE_URL", store.as_str())]].concat();
    for arguments in [&["storage", "check"][..], &["audit", "verify", "--all", "--without-broker"]] {
        let done = output(&luci.data_dir, arguments, &urls).await;
        let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {text}");
    }
}

/// What follows from an erasure by one name of the person, a backup from before, and kill -9 at any moment. `objects`: whether the
/// backup's objects are restored too, or only the database.
async fn erased_again(named: &Value, objects: Objects) {
    let (database, nats) = tokio::join!(support::database(), support::nats());
    let mut luci = support::luci(Servers::on(&database, &nats)).await;
    let urls = [("LUCI_DATABASE_URL", database.url()), ("LUCI_NATS_URL", nats.url())];
    let run_id = data_of_the_person(&luci.api()).await;
    let made = run(&luci, &urls, &["tenant", "create", "Other", "--json"]).await;
    let other: TenantId = made["tenantId"].as_str().expect("an id").parse().expect("an id");
    let others = Api::new(luci.api().url.clone(), made["apiKey"].as_str().expect("a key"));
    data_of_the_person(&others).await;
    let folder = temp_dir("backup").join("one");
    let path = folder.to_str().expect("UTF-8").to_owned();
    run(&luci, &urls, &["backup", &path, "--json"]).await;
    let (status, asked) = luci.api().post("/api/erasures", named).await;
    assert_eq!(status, 202, "{asked}");
    let id = asked["erasureId"].as_str().expect("an id").to_owned();
    let first = completed(&luci.api(), &id).await;
    assert_eq!(in_database(&database, other).await, Vec::<String>::new());
    luci.stop().await;
    assert_eq!(traces_below(&luci.data_dir.join("objects/journal")), Vec::<String>::new());

    if objects == Objects::Kept {
        std::fs::remove_dir_all(folder.join("objects")).expect("removed");
        std::fs::create_dir(folder.join("objects")).expect("created");
    }
    run(&luci, &urls, &["restore", "load", &path, "--json"]).await;
    assert!(!in_database(&database, other).await.is_empty(), "the restore brought the person back");
    luci.start().await;
    let plan = run(&luci, &urls, &["restore", "plan", "--json"]).await;
    let leads = plan["erasures"]["leads"].as_u64();
    assert_eq!((&plan["erasures"]["count"], leads.is_some_and(|leads| leads > 0)), (&json!(1), true), "{plan}");
    assert_eq!(plan["erasures"]["byTenant"].as_object().map(|by| by.contains_key(&other.to_string())), Some(false));
    luci.stop().await;
    accepted(&luci, &urls).await;
    for millis in [0, 80, 160, 300] {
        luci.start().await;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        luci.kill().await;
    }
    luci.start().await;

    let again = completed(&luci.api(), &id).await;
    assert_eq!((&again["requestedAt"], &again["namedBy"]), (&first["requestedAt"], &first["namedBy"]));
    assert!(again["repeatedAt"].is_string() && first["repeatedAt"].is_null(), "{again} {first}");
    nowhere(&luci, &database, (&run_id, other)).await;
    let sql = "select count(*) from log.events where event_type in ('erasure:requested', 'lead:erased')
                and data ->> 'erasureId' = $1 and (data ->> 'afterRestore')::boolean";
    let pool = database.pool().await;
    let events: i64 = sqlx::query_scalar(sql).bind(&id).fetch_one(&pool).await.expect("a count");
    assert!(events >= 2, "{events} events say that the erasure was repeated");
    checked(&luci, &urls).await;
}

/// `restore accept`, killed at once a few times, and then to its end.
async fn accepted(luci: &Luci, urls: &[(&str, &str)]) {
    let file = temp_dir("lost").join("events.ndjson");
    let file = file.to_str().expect("UTF-8");
    for millis in [80, 200, 400, 700] {
        let arguments = ["restore", "accept", "--force", "--json", "--lost-events", file];
        let mut cut = support::command(&luci.data_dir, &arguments);
        cut.envs(urls.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut cut = tokio::process::Command::from(cut).spawn().expect("it starts");
        tokio::time::sleep(Duration::from_millis(millis)).await;
        cut.kill().await.expect("killed");
    }
    run(luci, urls, &["restore", "accept", "--force", "--lost-events", file, "--json"]).await;
}

/// The person is in nothing of the tenant, everything of the other tenant is there, and artifacts are read.
async fn nowhere(luci: &Luci, database: &Database, (run_id, other): (&str, TenantId)) {
    assert_eq!(in_database(database, other).await, Vec::<String>::new());
    let below = luci.data_dir.join("objects");
    let of_other = Path::new(&below).join(other.to_string());
    let all = traces_below(&below);
    let theirs = traces_below(&of_other);
    assert!(!theirs.is_empty(), "another tenant's data stays");
    assert_eq!(all.len(), theirs.len(), "{all:?}");
    let leads = "select count(*) from leads where tenant_id = $1 and phone = $2";
    let pool = database.pool().await;
    let count = sqlx::query_scalar::<_, i64>(leads).bind(other).bind(PHONE).fetch_one(&pool).await.expect("a count");
    assert_eq!(count, 1);
    artifacts_are_read(luci, run_id).await;
}

async fn artifacts_are_read(luci: &Luci, run_id: &str) {
    let (_, page) = luci.api().get(&format!("/api/pipelines/{run_id}/artifacts?limit=100")).await;
    for artifact in page["artifacts"].as_array().expect("artifacts") {
        let path =
            format!("/api/pipelines/{run_id}/artifacts/{}?preview", artifact["artifactId"].as_str().expect("an id"));
        let (status, preview) = luci.api().get(&path).await;
        assert_eq!(status, 200, "{preview}");
    }
}

#[derive(PartialEq)]
enum Objects {
    Restored,
    Kept,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_holds_when_an_older_backup_is_restored() {
    erased_again(&json!({"phone": PHONE}), Objects::Restored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_holds_when_only_the_database_is_restored() {
    erased_again(&json!({"email": EMAIL}), Objects::Kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_was_pending_in_the_backup_is_found_where_it_ended() {
    let (database, nats) = tokio::join!(support::database(), support::nats());
    let mut luci = support::luci(Servers::on(&database, &nats)).await;
    let urls = [("LUCI_DATABASE_URL", database.url()), ("LUCI_NATS_URL", nats.url())];
    let first = data_of_the_person(&luci.api()).await;
    let (_, made) = luci.api().get("/api/blueprints").await;
    let short = made["blueprints"].as_array().expect("blueprints").iter().find(|one| one["name"] == "short");
    let paused = paused_run(&luci.api(), &short.expect("ours")["blueprintId"]).await;
    let (status, asked) = luci.api().post("/api/erasures", &json!({"phone": PHONE})).await;
    assert_eq!(status, 202, "{asked}");
    let id = asked["erasureId"].as_str().expect("an id").to_owned();
    let folder = temp_dir("backup").join("one");
    let path = folder.to_str().expect("UTF-8").to_owned();
    run(&luci, &urls, &["backup", &path, "--json"]).await;
    let resume = format!("/api/pipelines/{paused}/resume");
    assert_eq!(luci.api().post(&resume, &json!({})).await.0, 202);
    completed(&luci.api(), &id).await;
    luci.stop().await;

    std::fs::remove_dir_all(folder.join("objects")).expect("removed");
    std::fs::create_dir(folder.join("objects")).expect("created");
    run(&luci, &urls, &["restore", "load", &path, "--json"]).await;
    luci.start().await;
    let plan = run(&luci, &urls, &["restore", "plan", "--json"]).await;
    assert_eq!(plan["erasures"]["count"], 1, "{plan}");
    luci.stop().await;
    accepted(&luci, &urls).await;
    luci.start().await;
    // The run reads its file, which is now a version without the person, and ends: only then the erasure is complete.
    assert_eq!(luci.api().post(&resume, &json!({})).await.0, 202);
    luci.api().run_ended(&paused).await;
    assert!(completed(&luci.api(), &id).await["repeatedAt"].is_string());
    let nobody = TenantId::generate();
    assert_eq!(in_database(&database, nobody).await, Vec::<String>::new());
    assert_eq!(traces_below(&luci.data_dir.join("objects")), Vec::<String>::new());
    artifacts_are_read(&luci, &first).await;
    checked(&luci, &urls).await;
}
