//! The auditor's commands, as the program's own: a history that proves itself from a file, states and where they differ, and
//! read tables held against the log.

use std::{fs, net::Ipv4Addr, path::Path, process::Output, time::Duration};

use luci::sandbox::{Sandbox, SandboxOptions};
use luci_engine::provider::ProvidersConfig;
use serde_json::Value;

use crate::support::{Database, System, SystemOptions, output, room, seal_key, system_with};

/// A system, the providers it asks, and a run that went through.
struct Ground {
    system: System,
    sandbox: Sandbox,
    run: String,
}

impl Ground {
    async fn new(dir: &Path) -> Self {
        let sandbox = Sandbox::start((Ipv4Addr::LOCALHOST, 0).into(), SandboxOptions::default()).await;
        let sandbox = sandbox.expect("a sandbox");
        let providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
        let seal_every = Duration::from_millis(700);
        let system = system_with(SystemOptions { providers, seal_every, ..SystemOptions::default() }).await;
        let mut ground = Self { system, sandbox, run: String::new() };
        ground.run = ground.import(dir, 60).await;
        ground
    }

    /// Takes so many leads through; answers the run.
    async fn import(&self, dir: &Path, leads: u64) -> String {
        let file = dir.join(format!("{leads}.csv"));
        luci::sample::write(&file, leads).expect("a sample");
        let done = self.ask(dir, &["import", file.to_str().expect("text"), "--watch", "--json"]).await;
        assert!(done.status.success(), "{}", said(&done));
        let summary: Value =
            serde_json::from_slice(done.stdout.trim_ascii().rsplit(|b| *b == b'\n').next().expect("one"))
                .expect("a summary");
        summary["runId"].as_str().expect("an id").to_owned()
    }

    /// Waits until the whole run is sealed; answers its version.
    async fn sealed(&self) -> Value {
        let (api, run) = (&self.system.api, &self.run);
        let newest = api.get(&format!("/api/pipelines/{run}")).await.1["run"]["version"].clone();
        let sealing = async {
            while api.get(&format!("/api/pipelines/{run}/seal")).await.1["version"] != newest {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), sealing).await.expect("it is sealed in time");
        newest
    }

    async fn ask(&self, dir: &Path, arguments: &[&str]) -> Output {
        let (url, key) = (&*self.system.api.url, &*self.system.api.key);
        let database = self.system.database.url();
        output(dir, arguments, &[("LUCI_URL", url), ("LUCI_API_KEY", key), ("LUCI_DATABASE_URL", database)]).await
    }

    /// What a command says that ends with this code.
    async fn told(&self, dir: &Path, arguments: &[&str], code: i32) -> String {
        let output = self.ask(dir, arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        said(&output)
    }

    async fn stop(self) {
        self.system.stop().await;
        self.sandbox.stop().await;
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_history_proves_itself_without_the_database() {
    let dir = room("export");
    let ground = Ground::new(&dir).await;
    let file = dir.join("history.ndjson");
    let path = file.to_str().expect("text");
    let newest = ground.sealed().await;
    let (_, stranger) = ground.system.other_tenant("other").await;
    let (status, _) = stranger.get(&format!("/api/pipelines/{}/seal", ground.run)).await;
    assert_eq!(status, reqwest::StatusCode::NOT_FOUND);
    // More at once than there are connections: none waits for another while it holds one.
    let seal = format!("/api/pipelines/{}/seal", ground.run);
    let asked = futures::future::join_all((0..48).map(|_| ground.system.api.get(&seal))).await;
    assert!(asked.iter().all(|(status, _)| *status == reqwest::StatusCode::OK), "{asked:?}");
    let exported = ground.told(&dir, &["audit", "export", &ground.run, "--out", path], 0).await;
    let head = exported.trim().rsplit(' ').next().expect("a hash").to_owned();
    let again = ground.told(&dir, &["audit", "export", &ground.run, "--out", path], 1).await;
    assert!(again.contains("exists already"), "{again}");
    let strange = luci_schema::RunId::generate().to_string();
    let none = ground.told(&dir, &["audit", "export", &strange, "--out", "none.ndjson"], 1).await;
    assert!(none.contains("404"), "{none}");
    let key = hex::encode(seal_key().public());
    let by_gateway = ground.told(&dir, &["audit", "verify", &ground.run, "--head", &head, "--key", &key], 0).await;
    assert!(by_gateway.contains(&head) && by_gateway.contains("sealed up to version "), "{by_gateway}");
    ground.stop().await;

    // From here on there is nothing but the file.
    let verify = async |arguments: &[&str], code: i32| {
        let output = output(&dir, &[&["audit", "verify", path], arguments].concat(), &[]).await;
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        said(&output)
    };
    assert!(verify(&[], 0).await.contains("every hash follows"));
    let sealed = verify(&["--head", &head, "--key", &key], 0).await;
    assert!(sealed.contains(&format!("sealed up to version {newest} at ")) && sealed.contains(&key), "{sealed}");
    let other = verify(&["--key", &"0".repeat(64)], 1).await;
    assert!(other.contains(&format!("it is sealed by {key}, not 000")), "{other}");
    let other = verify(&["--head", &"0".repeat(64)], 1).await;
    assert!(other.contains(&format!("the last event's hash is {head}")), "{other}");

    let whole = fs::read_to_string(&file).expect("text");
    let edited = whole.replacen("\"totalLeads\":60", "\"totalLeads\":61", 1);
    assert_ne!(edited, whole, "there is such a figure");
    fs::write(&file, edited).expect("written");
    let broken = verify(&[], 1).await;
    assert!(broken.contains("line 2: the bytes of version 1 do not match its hash"), "{broken}");
    let shorter: Vec<&str> = whole.lines().collect();
    fs::write(&file, shorter[..shorter.len() - 1].join("\n")).expect("written");
    assert!(verify(&["--json"], 1).await.contains("the file ends after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn states_and_runs_are_laid_side_by_side() {
    let dir = room("states");
    let ground = Ground::new(&dir).await;
    let run = &ground.run;
    let first = ground.told(&dir, &["audit", "state", run, "--at", "v1"], 0).await;
    assert!(first.contains("version 1,") && first.contains(&format!("{run} queued")), "{first}");
    let last = ground.told(&dir, &["audit", "state", run], 0).await;
    assert!(last.contains(&format!("{run} completed: 60 leads")), "{last}");
    let never = ground.told(&dir, &["audit", "state", run, "--at", "2020-01-01T00:00:00+01:00"], 1).await;
    assert!(never.contains("did not exist then"), "{never}");

    let diff = ground.told(&dir, &["audit", "diff", &format!("{run}@v1"), run], 0).await;
    let status = diff.lines().find(|line| line.starts_with("run.status ")).expect("the status");
    assert!(status.contains("queued  →  completed"), "{status}");
    assert_eq!(ground.told(&dir, &["audit", "diff", &format!("{run}@v3"), &format!("{run}@v3")], 0).await, "");
    let other = ground.import(&dir, 40).await;
    let runs = ground.told(&dir, &["audit", "diff", run, &other], 0).await;
    assert!(runs.lines().any(|line| line.starts_with("run.totalLeads ") && line.contains("60  →  40")), "{runs}");
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_tables_that_drifted_are_named_and_repaired() {
    let dir = room("drift");
    let ground = Ground::new(&dir).await;
    let (other, _) = ground.system.other_tenant("other").await;
    let clean = ground.told(&dir, &["audit", "drift"], 0).await;
    assert!(clean.contains("none differs"), "{clean}");
    let rebuilt = ground.told(&dir, &["projections", "rebuild"], 0).await;
    assert!(rebuilt.contains("read_b serves") && rebuilt.contains("nothing differed"), "{rebuilt}");

    let admin = ground.system.database.pool().await;
    let edit = "update pipeline_runs set processed_leads = 7 where run_id = $1";
    sqlx::query(edit).bind(&ground.run).execute(&admin).await.expect("edited");
    let (tenant, run) = (ground.system.tenant.to_string(), &ground.run);
    let drifted = ground.told(&dir, &["audit", "drift", "--tenant", &tenant], 1).await;
    let line = drifted.lines().find(|line| line.starts_with("pipeline_runs ")).expect("the row");
    assert!(line.contains(run.as_str()) && line.contains("processed_leads is 7, the log says "), "{line}");
    assert_eq!(drifted.lines().filter(|line| line.contains("the log says")).count(), 1, "{drifted}");
    ground.told(&dir, &["audit", "drift", "--tenant", &other.to_string()], 0).await;
    let refused = ground.told(&dir, &["projections", "rebuild"], 1).await;
    assert!(refused.contains("pipeline_runs") && refused.contains("--replace"), "{refused}");

    let repaired = ground.told(&dir, &["audit", "drift", "--repair"], 0).await;
    assert!(repaired.contains("repaired at position ") && repaired.contains("pipeline_runs"), "{repaired}");
    ground.told(&dir, &["audit", "drift"], 0).await;
    let (_, detail) = ground.system.api.get(&format!("/api/pipelines/{run}")).await;
    assert_ne!(detail["run"]["processedLeads"], 7, "the page shows it at once");
    let status: Value =
        serde_json::from_str(&ground.told(&dir, &["projections", "status", "--json"], 0).await).expect("JSON");
    assert_eq!((&status["serving"], &status["behind"]), (&Value::from("read_a"), &Value::from(0)));
    ground.stop().await;
}

/// `luci audit seals` on a database and a store that nobody works on any more.
struct Sealed {
    dir: std::path::PathBuf,
    database: Database,
    store: String,
    key: String,
}

impl Sealed {
    async fn told(&self, arguments: &[&str], code: i32) -> String {
        let variables = [("LUCI_DATABASE_URL", self.database.url()), ("LUCI_STORE_URL", &*self.store)];
        let output = output(&self.dir, &[&["audit", "seals"], arguments].concat(), &variables).await;
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        said(&output)
    }

    async fn change(&self, admin: &sqlx::PgPool, statement: &'static str) {
        let done = sqlx::raw_sql(statement).execute(admin).await.expect("changed");
        assert!(done.rows_affected() > 0, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_changed_cut_or_lost_a_stream_is_not_what_was_sealed() {
    let dir = room("sealed");
    let ground = Ground::new(&dir).await;
    ground.sealed().await;
    ground.import(&dir, 10).await;
    let store = format!("file://{}", ground.system.objects.display());
    ground.sandbox.stop().await;
    // Told to stop, it seals what there is.
    let (database, _nats) = ground.system.stop().await;
    let key = hex::encode(seal_key().public());
    let sealed = Sealed { dir, database, store, key };
    let whole = sealed.told(&["--key", &sealed.key], 0).await;
    assert!(whole.contains(", 0 not sealed yet") && whole.contains(&sealed.key), "{whole}");
    assert!(!whole.starts_with("0 seals"), "{whole}");
    let other = sealed.told(&["--key", &"0".repeat(64)], 1).await;
    assert!(other.contains("which is none of the keys that may seal"), "{other}");

    let admin = sealed.database.pool().await;
    let refused = sqlx::raw_sql("delete from log.seals").execute(&admin).await.expect_err("guarded").to_string();
    assert!(refused.contains("append-only"), "{refused}");
    let guarded: Vec<String> = sqlx::query_scalar(
        "select relid::regclass::text from pg_partition_tree('log.events') union all select 'log.seals'",
    )
    .fetch_all(&admin)
    .await
    .expect("tables");
    for table in guarded {
        let unguarded = sqlx::AssertSqlSafe(format!("alter table {table} disable trigger user"));
        sqlx::query(unguarded).execute(&admin).await.expect("unguarded");
    }
    sealed
        .change(&admin, "create table kept as select * from log.events; create table seals as select * from log.seals")
        .await;
    for (change, told) in [
        (
            "update log.events set recorded_at = recorded_at + interval '1 us' where position = 3",
            "the event at position 3 is not what its hash says",
        ),
        (
            "update log.events set recorded_at = recorded_at + interval '1 us' where position = 3; \
             update log.events e set hash = log.event_hash(e) where position = 3",
            "the events are not those that were sealed",
        ),
        ("delete from log.events where position = 4", "the event at position 4 is gone"),
        (
            "update log.seals set to_position = to_position + 1 where seal_id = 1",
            "its hash is not that of what it says",
        ),
        ("delete from log.seals where seal_id = 1", "it does not follow the seal before it"),
        ("delete from log.seals", "the store has seal 1 (positions 1 to "),
    ] {
        sealed.change(&admin, change).await;
        let found = sealed.told(&[], 1).await;
        assert!(found.contains(told), "{change}: {found}");
        let undo = "delete from log.events; insert into log.events select * from kept; delete from log.seals; \
                    insert into log.seals select * from seals";
        sealed.change(&admin, undo).await;
    }
    sealed.told(&[], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_or_another_is_named() {
    let dir = room("objects");
    let ground = Ground::new(&dir).await;
    let check = ["storage", "check", &ground.run];
    let whole = ground.told(&dir, &check, 0).await;
    assert!(whole.contains("each is what was recorded"), "{whole}");
    let (_, page) = ground.system.api.get(&format!("/api/pipelines/{}/artifacts", ground.run)).await;
    let paths: Vec<&str> =
        page["artifacts"].as_array().expect("a list").iter().filter_map(|one| one["objectPath"].as_str()).collect();
    assert!(whole.contains(&format!("{} objects", paths.len())), "{whole}");
    let object = |n: usize| ground.system.objects.join(paths[n]);
    fs::remove_file(object(0)).expect("removed");
    let mut bytes = fs::read(object(1)).expect("an object");
    bytes[0] ^= 1;
    fs::write(object(1), &bytes).expect("written");
    fs::write(object(2), "{}").expect("written");
    let found = ground.told(&dir, &check, 1).await;
    let told = |n: usize, what: &str| found.lines().any(|line| line.starts_with(paths[n]) && line.contains(what));
    assert!(told(0, "it is gone") && told(1, "its SHA-256 is ") && told(2, " were recorded"), "{found}");
    assert!(found.contains(": 3 not as recorded"), "{found}");
    ground.stop().await;
}
