//! Fixture: a system that sends through sandbox carriers, a file with one person to erase, and where to look for that person.

use std::{path::Path, time::Duration};

use luci_providers::ProvidersConfig;
use luci_sandbox::{Carriers, Sandbox, SandboxOptions};
use luci_schema::TenantId;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    gateway::fixture::send_csv,
    sender::fixture::{at_noon, noon, quick},
    support::{Api, System, SystemOptions, eventually, output, search, system_with, temp_dir},
};

pub const OURS: &str = "+12125550100";
/// The person, as numbers and addresses are stored.
pub const PHONE: &str = "+19175550142";
pub const EMAIL: &str = "zenobia@quillfeather.example";

/// A system with its providers and carriers, which end with it.
pub struct Whole {
    pub system: System,
    pub carriers: Carriers,
    _sandbox: Sandbox,
}

/// Every role; the tenant may send now, and has a number.
pub async fn whole() -> Whole {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let sandbox = Sandbox::start(listen, SandboxOptions::default()).await.expect("a sandbox");
    let carriers = Carriers::start(listen, Duration::ZERO).await.expect("carriers");
    let system = system_with(SystemOptions {
        providers: ProvidersConfig::all_at(&sandbox.url(), sandbox.key()),
        senders: luci::cli::sandbox::senders(&carriers),
        sender: quick(),
        ..SystemOptions::default()
    })
    .await;
    let window = json!({"windowFrom": "08:00", "windowTo": "21:00", "days": [1, 2, 3, 4, 5, 6, 7], "pauseMs": 0, "timeZone": noon()});
    let (status, answer) = system.api.post("/api/sending", &window).await;
    assert_eq!(status, 202, "{answer}");
    sqlx::query("insert into sender_numbers (tenant_id, number, provider) values ($1, $2, 'signalhouse')")
        .bind(system.tenant)
        .bind(OURS)
        .execute(&system.database.pool().await)
        .await
        .expect("a number");
    Whole { system, carriers, _sandbox: sandbox }
}

/// A file with the person twice, spelled differently, among others.
pub fn file() -> String {
    let mut text = String::from("Company,First Name,Last Name,Cell,Email,Address,City,State,Zip\n");
    for n in 0..6 {
        text.push_str(&format!(
            "Firm {n},Ada,L{n},(917) 555-02{n:02},ada{n}@firm{n}.example,{n} Oak St,New York,NY,10001\n"
        ));
    }
    text.push_str(
        "Quill Works,Zenobia,Quillfeather,(917) 555-0142,Zenobia@Quillfeather.example,9 Elm St,New York,NY,10001\n",
    );
    text.push_str("Firm 7,Ada,L7,917-555-0207,ada7@firm7.example,7 Oak St,New York,NY,10001\n");
    text.push_str("\"Quill, Works\",Zenobia,Quillfeather,1.917.555.0142,,9 Elm St,New York,NY,10001\n");
    text
}

/// A blueprint with every stage, whose messages need no approval.
/// A run that was paused long before the person's rows could reach its last stage; an erasure waits for it.
pub async fn paused_run(api: &Api, blueprint: &Value) -> String {
    let file = file();
    let (header, rows) = file.split_once('\n').expect("a header");
    let mut csv = format!("{header}\n");
    for n in 0..150 {
        csv.push_str(&format!("More {n},Ada,M{n},(917) 555-{:04},,1 Oak St,New York,NY,10001\n", 3_000 + n));
    }
    let (status, import) = send_csv(api, csv + rows).await;
    assert_eq!(status, 201, "{import}");
    let start = json!({"importId": import["importId"], "blueprintId": blueprint, "options": {"blockSize": 5}});
    let (status, started) = api.post("/api/pipelines", &start).await;
    assert_eq!(status, 202, "{started}");
    let run_id = started["runId"].as_str().expect("an id").to_owned();
    // One that is queued still cannot be paused.
    eventually("the run is paused", async || {
        api.post(&format!("/api/pipelines/{run_id}/pause"), &json!({})).await.0 == 202
    })
    .await;
    run_id
}

pub async fn blueprint(api: &Api) -> Value {
    let stage = |stage: &str, config: Value| json!({"name": stage, "stage": stage, "config": config});
    let none = || json!({});
    let push = json!({"channels": ["sms", "dialer"], "mode": "immediate"});
    let stages = [
        stage("import", none()),
        stage("validate", none()),
        stage("enrich", none()),
        stage("skip_trace", none()),
        stage("score", none()),
        stage("assign", none()),
        stage("push", push),
    ];
    let (status, made) = api.post("/api/blueprints", &json!({"name": "at once", "stages": stages})).await;
    assert_eq!(status, 201, "{made}");
    made["blueprintId"].clone()
}

/// A run of an import that has ended, and what it was called.
pub async fn run(api: &Api, import: &Value, blueprint: &Value) -> String {
    let start = json!({"importId": import, "blueprintId": blueprint, "allowRepeat": true});
    let (status, run) = api.post("/api/pipelines", &start).await;
    assert_eq!(status, 202, "{run}");
    let run = run["runId"].as_str().expect("an id").to_owned();
    assert_eq!(api.run_ended(&run).await["run"]["status"], "completed");
    run
}

/// Waits until nothing is left to send.
pub async fn all_sent(pool: &PgPool) {
    eventually("everything is sent", async || {
        at_noon(pool).await;
        let waiting = "select count(*) from sms_queue where status in ('pending', 'processing')";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.expect("a count") == 0
    })
    .await;
}

/// Waits until the erasure is complete.
pub async fn completed(api: &Api, id: &str) -> Value {
    let mut found = Value::Null;
    eventually("the erasure is complete", async || {
        let (_, page) = api.get("/api/erasures").await;
        let all = page["erasures"].as_array().expect("erasures");
        found = all.iter().find(|one| one["erasureId"] == id).expect("ours").clone();
        found["status"] == "completed"
    })
    .await;
    found
}

/// Erases the person that the body names.
pub async fn erase(api: &Api, body: &Value) -> Value {
    let (status, answer) = api.post("/api/erasures", body).await;
    assert_eq!(status, 202, "{answer}");
    completed(api, answer["erasureId"].as_str().expect("an id")).await
}

/// What a text has of the person, in any spelling.
pub fn traces(text: &[u8]) -> Vec<&'static str> {
    let lower = String::from_utf8_lossy(text).to_lowercase();
    let digits: String = lower.chars().filter(|c| !" ()-.+\u{a0}".contains(*c)).collect();
    let mut found: Vec<&str> =
        ["zenobia", "quillfeather", "9 elm st"].into_iter().filter(|word| lower.contains(word)).collect();
    found.extend(digits.contains("9175550142").then_some("9175550142"));
    found
}

/// The files below a folder that have something of the person.
pub fn traces_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(traces_below(&path));
        } else if let Ok(content) = std::fs::read(&path) {
            let in_it = traces(&content);
            if !in_it.is_empty() {
                found.push(format!("{}: {in_it:?}", path.display()));
            }
        }
    }
    found
}

/// The lines of a dump of the database that have something of the person.
pub async fn traces_in_database(system: &System) -> Vec<String> {
    let tools = search().postgres(None).expect("the programs of Postgres");
    let dump = tokio::process::Command::new(tools.join("pg_dump")).arg(system.database.url()).output().await;
    let dump = dump.expect("pg_dump runs");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let text = String::from_utf8_lossy(&dump.stdout).into_owned();
    text.lines()
        .filter(|line| !traces(line.as_bytes()).is_empty())
        .map(|line| line.chars().take(300).collect())
        .collect()
}

/// The data of everybody else.
pub async fn others(pool: &PgPool, tenant: TenantId) -> Vec<String> {
    let sql = "select 'lead ' || (to_jsonb(l) - 'updated_at')::text from leads l where tenant_id = $1 and phone is distinct from $2
               union all select 'sms ' || (to_jsonb(s) - 'updated_at' - 'time_zones')::text from sms_queue s where tenant_id = $1 and to_number <> $2
               union all select 'attempt ' || a.id || a.status from attempt_logs a join leads l on l.id = a.lead_id
                          where a.tenant_id = $1 and l.phone is distinct from $2
               union all select 'result ' || r.request_digest || r.outcome::text from provider_results r
                          join leads l on l.id = r.lead_id where r.tenant_id = $1 and l.phone is distinct from $2
               union all select 'contact ' || c.id from contacts c join leads l on l.id = c.lead_id
                          where c.tenant_id = $1 and l.phone is distinct from $2 order by 1";
    sqlx::query_scalar(sql).bind(tenant).bind(PHONE).fetch_all(pool).await.expect("rows")
}

/// The checks of an operator, with the real binary and the local store.
pub async fn checks(system: &System) -> String {
    checks_of(system, &[("LUCI_STORE_URL", format!("file://{}", system.objects.display()))]).await
}

/// The same with the settings of a store.
pub async fn checks_of(system: &System, store: &[(&str, String)]) -> String {
    let folder = temp_dir("auditor");
    let servers = [("LUCI_DATABASE_URL", system.database.url()), ("LUCI_NATS_URL", system.nats.url())];
    let store = store.iter().map(|(name, value)| (*name, value.as_str()));
    let variables: Vec<(&str, &str)> = servers.into_iter().chain(store).collect();
    let mut said = String::new();
    for arguments in [&["audit", "verify", "--all"][..], &["storage", "check"]] {
        let done = output(&folder, arguments, &variables).await;
        let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {text}");
        said.push_str(&text);
    }
    said
}
