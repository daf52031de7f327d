//! The `luci audit` commands: export and offline verification, states and differences, drift of read tables, seals.

use std::{fs, net::Ipv4Addr, path::Path, process::Output, time::Duration};

use luci_providers::ProvidersConfig;
use luci_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use crate::support::{Database, System, SystemOptions, eventually, output, seal_key, system_with, temp_dir};

/// A system, its sandbox providers, and a completed run.
pub struct Fixture {
    pub system: System,
    pub sandbox: Sandbox,
    pub run: String,
}

impl Fixture {
    pub async fn new(dir: &Path) -> Self {
        let sandbox = Sandbox::start((Ipv4Addr::LOCALHOST, 0).into(), SandboxOptions::default()).await;
        let sandbox = sandbox.expect("a sandbox");
        let providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
        let seal_every = Duration::from_millis(700);
        let system = system_with(SystemOptions { providers, seal_every, ..SystemOptions::default() }).await;
        let mut fixture = Self { system, sandbox, run: String::new() };
        fixture.run = fixture.import(dir, 60).await;
        fixture
    }

    /// Runs a number of sample leads to the end; returns the run's id.
    pub async fn import(&self, dir: &Path, leads: u64) -> String {
        let file = dir.join(format!("{leads}.csv"));
        luci::cli::demo::sample::write(&file, leads).expect("a sample");
        let done = self.command(dir, &["import", file.to_str().expect("text"), "--watch", "--json"]).await;
        assert!(done.status.success(), "{}", text_of(&done));
        let summary: Value =
            serde_json::from_slice(done.stdout.trim_ascii().rsplit(|b| *b == b'\n').next().expect("one"))
                .expect("a summary");
        summary["runId"].as_str().expect("an id").to_owned()
    }

    /// Waits until the whole run is sealed; answers its version.
    async fn sealed(&self) -> Value {
        let (api, run) = (&self.system.api, &self.run);
        let newest = api.get(&format!("/api/pipelines/{run}")).await.1["run"]["version"].clone();
        eventually("the run is sealed", async || {
            api.get(&format!("/api/pipelines/{run}/seal")).await.1["version"] == newest
        })
        .await;
        newest
    }

    pub async fn command(&self, dir: &Path, arguments: &[&str]) -> Output {
        let (url, key) = (&*self.system.api.url, &*self.system.api.key);
        let database = self.system.database.url();
        output(dir, arguments, &[("LUCI_URL", url), ("LUCI_API_KEY", key), ("LUCI_DATABASE_URL", database)]).await
    }

    /// The output of a command that ends with this code.
    pub async fn output_of(&self, dir: &Path, arguments: &[&str], code: i32) -> String {
        let output = self.command(dir, arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text_of(&output));
        text_of(&output)
    }

    pub async fn stop(self) {
        self.system.stop().await;
        self.sandbox.stop().await;
    }
}

fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_history_proves_itself_without_the_database() {
    let dir = temp_dir("export");
    let fixture = Fixture::new(&dir).await;
    let file = dir.join("history.ndjson");
    let path = file.to_str().expect("text");
    let newest = fixture.sealed().await;
    let (_, stranger) = fixture.system.other_tenant("other").await;
    let (status, _) = stranger.get(&format!("/api/pipelines/{}/seal", fixture.run)).await;
    assert_eq!(status, reqwest::StatusCode::NOT_FOUND);
    // More requests than connections: none waits for a connection while it holds one.
    let seal = format!("/api/pipelines/{}/seal", fixture.run);
    let answers = futures::future::join_all((0..48).map(|_| fixture.system.api.get(&seal))).await;
    assert!(answers.iter().all(|(status, _)| *status == reqwest::StatusCode::OK), "{answers:?}");
    let exported = fixture.output_of(&dir, &["audit", "export", &fixture.run, "--out", path], 0).await;
    let head = exported.trim().rsplit(' ').next().expect("a hash").to_owned();
    let again = fixture.output_of(&dir, &["audit", "export", &fixture.run, "--out", path], 1).await;
    assert!(again.contains("exists already"), "{again}");
    let strange = luci_schema::RunId::generate().to_string();
    let none = fixture.output_of(&dir, &["audit", "export", &strange, "--out", "none.ndjson"], 1).await;
    assert!(none.contains("404"), "{none}");
    let key = hex::encode(seal_key().public());
    let by_gateway =
        fixture.output_of(&dir, &["audit", "verify", &fixture.run, "--head", &head, "--key", &key], 0).await;
    assert!(by_gateway.contains(&head) && by_gateway.contains("sealed up to version "), "{by_gateway}");
    fixture.stop().await;

    // From here on only the file is used.
    let verify = async |arguments: &[&str], code: i32| {
        let output = output(&dir, &[&["audit", "verify", path], arguments].concat(), &[]).await;
        assert_eq!(output.status.code(), Some(code), "{}", text_of(&output));
        text_of(&output)
    };
    let alone = verify(&[], 0).await;
    assert!(alone.contains("hash chain intact") && alone.contains("not covered: publicKey: "), "{alone}");
    verify(&["--strict"], 1).await;
    verify(&["--head", &head, "--key", &key, "--strict"], 0).await;
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
    fs::write(&file, shorter[..shorter.len() - 1].join("\n") + "\n").expect("written");
    assert!(verify(&["--json"], 1).await.contains("the file ends after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn states_and_runs_are_compared() {
    let dir = temp_dir("states");
    let fixture = Fixture::new(&dir).await;
    let run = &fixture.run;
    let first = fixture.output_of(&dir, &["audit", "state", run, "--at", "v1"], 0).await;
    assert!(first.contains("version 1,") && first.contains(&format!("{run} queued")), "{first}");
    let last = fixture.output_of(&dir, &["audit", "state", run], 0).await;
    assert!(last.contains(&format!("{run} completed: 60 leads")), "{last}");
    let never = fixture.output_of(&dir, &["audit", "state", run, "--at", "2020-01-01T00:00:00+01:00"], 1).await;
    assert!(never.contains("has no event up to that point"), "{never}");

    let diff = fixture.output_of(&dir, &["audit", "diff", &format!("{run}@v1"), run], 0).await;
    let status = diff.lines().find(|line| line.starts_with("run.status ")).expect("the status");
    assert!(status.contains("queued  →  completed"), "{status}");
    assert_eq!(fixture.output_of(&dir, &["audit", "diff", &format!("{run}@v3"), &format!("{run}@v3")], 0).await, "");
    let other = fixture.import(&dir, 40).await;
    let runs = fixture.output_of(&dir, &["audit", "diff", run, &other], 0).await;
    assert!(runs.lines().any(|line| line.starts_with("run.totalLeads ") && line.contains("60  →  40")), "{runs}");
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_tables_that_drifted_are_named_and_repaired() {
    let dir = temp_dir("drift");
    let fixture = Fixture::new(&dir).await;
    let (other, _) = fixture.system.other_tenant("other").await;
    let clean = fixture.output_of(&dir, &["audit", "drift"], 0).await;
    assert!(clean.contains("none differs"), "{clean}");
    let rebuilt = fixture.output_of(&dir, &["projections", "rebuild"], 0).await;
    assert!(rebuilt.contains("read_b serves") && rebuilt.contains("nothing differed"), "{rebuilt}");

    let admin = fixture.system.database.pool().await;
    let edit = "update pipeline_runs set processed_leads = 7 where run_id = $1";
    sqlx::query(edit).bind(&fixture.run).execute(&admin).await.expect("edited");
    let (tenant, run) = (fixture.system.tenant.to_string(), &fixture.run);
    let drifted = fixture.output_of(&dir, &["audit", "drift", "--tenant", &tenant], 1).await;
    let line = drifted.lines().find(|line| line.starts_with("pipeline_runs ")).expect("the row");
    assert!(line.contains(run.as_str()) && line.contains("processed_leads is 7, the log says "), "{line}");
    assert_eq!(drifted.lines().filter(|line| line.contains("the log says")).count(), 1, "{drifted}");
    fixture.output_of(&dir, &["audit", "drift", "--tenant", &other.to_string()], 0).await;
    let refused = fixture.output_of(&dir, &["projections", "rebuild"], 1).await;
    assert!(refused.contains("pipeline_runs") && refused.contains("--replace"), "{refused}");

    let repaired = fixture.output_of(&dir, &["audit", "drift", "--repair"], 0).await;
    assert!(repaired.contains("repaired at position ") && repaired.contains("pipeline_runs"), "{repaired}");
    fixture.output_of(&dir, &["audit", "drift"], 0).await;
    let (_, detail) = fixture.system.api.get(&format!("/api/pipelines/{run}")).await;
    assert_ne!(detail["run"]["processedLeads"], 7, "the page shows it at once");
    let status: Value =
        serde_json::from_str(&fixture.output_of(&dir, &["projections", "status", "--json"], 0).await).expect("JSON");
    assert_eq!((&status["serving"], &status["behind"]), (&Value::from("read_a"), &Value::from(0)));
    fixture.stop().await;
}

/// `luci audit seals` on a database and a store that no process uses.
struct Sealed {
    dir: std::path::PathBuf,
    database: Database,
    store: String,
    key: String,
}

impl Sealed {
    async fn output_of(&self, arguments: &[&str], code: i32) -> String {
        let variables = [("LUCI_DATABASE_URL", self.database.url()), ("LUCI_STORE_URL", &*self.store)];
        let output = output(&self.dir, &[&["audit", "seals"], arguments].concat(), &variables).await;
        assert_eq!(output.status.code(), Some(code), "{}", text_of(&output));
        text_of(&output)
    }

    async fn change(&self, admin: &sqlx::PgPool, statement: &'static str) {
        let done = sqlx::raw_sql(statement).execute(admin).await.expect("changed");
        assert!(done.rows_affected() > 0, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_or_cut_log_does_not_match_its_seals() {
    let dir = temp_dir("sealed");
    let fixture = Fixture::new(&dir).await;
    fixture.sealed().await;
    fixture.import(&dir, 10).await;
    let store = format!("file://{}", fixture.system.objects.display());
    fixture.sandbox.stop().await;
    // A stopped system seals everything it has read.
    let (database, _nats) = fixture.system.stop().await;
    let key = hex::encode(seal_key().public());
    let sealed = Sealed { dir, database, store, key };
    let whole = sealed.output_of(&["--key", &sealed.key], 0).await;
    assert!(whole.contains(", 0 not sealed yet") && whole.contains(&sealed.key), "{whole}");
    assert!(!whole.starts_with("0 valid seals"), "{whole}");
    let other = sealed.output_of(&["--key", &"0".repeat(64)], 1).await;
    assert!(other.contains("not one of the allowed sealing keys"), "{other}");

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
    for (change, expected) in [
        (
            "update log.events set recorded_at = recorded_at + interval '1 us' where position = 3",
            "the event at position 3 does not match its hash",
        ),
        (
            "update log.events set recorded_at = recorded_at + interval '1 us' where position = 3; \
             update log.events e set hash = log.event_hash(e) where position = 3",
            "the events do not match the seal's Merkle root",
        ),
        ("delete from log.events where position = 4", "the event at position 4 is missing"),
        (
            "update log.seals set to_position = to_position + 1000 where seal_id = 1",
            "its hash is not that of what it says",
        ),
        ("delete from log.seals where seal_id = 1", "it does not follow the seal before it"),
        ("delete from log.seals", "the store has seal 1 (positions 1 to "),
    ] {
        sealed.change(&admin, change).await;
        let found = sealed.output_of(&[], 1).await;
        assert!(found.contains(expected), "{change}: {found}");
        let undo = "delete from log.events; insert into log.events select * from kept; delete from log.seals; \
                    insert into log.seals select * from seals";
        sealed.change(&admin, undo).await;
    }
    sealed.output_of(&[], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_replaced_object_is_named() {
    let dir = temp_dir("objects");
    let fixture = Fixture::new(&dir).await;
    let check = ["storage", "check", &fixture.run];
    let whole = fixture.output_of(&dir, &check, 0).await;
    assert!(whole.contains("all match"), "{whole}");
    let (_, page) = fixture.system.api.get(&format!("/api/pipelines/{}/artifacts", fixture.run)).await;
    let paths: Vec<&str> =
        page["artifacts"].as_array().expect("a list").iter().filter_map(|one| one["objectPath"].as_str()).collect();
    // And the file that the run reads.
    assert!(whole.contains(&format!("{} objects", paths.len() + 1)), "{whole}");
    let object = |n: usize| fixture.system.objects.join(paths[n]);
    fs::remove_file(object(0)).expect("removed");
    let mut bytes = fs::read(object(1)).expect("an object");
    bytes[0] ^= 1;
    fs::write(object(1), &bytes).expect("written");
    fs::write(object(2), "{}").expect("written");
    let found = fixture.output_of(&dir, &check, 1).await;
    let reported = |n: usize, what: &str| found.lines().any(|line| line.starts_with(paths[n]) && line.contains(what));
    assert!(
        reported(0, "the object is missing") && reported(1, "SHA-256 is ") && reported(2, " bytes, recorded "),
        "{found}"
    );
    assert!(found.contains(": 3 missing or different"), "{found}");
    fixture.stop().await;
}
