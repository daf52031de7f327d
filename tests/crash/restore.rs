//! A backup is restored after more has happened: nothing is recorded before an operator accepts it, and nobody who was sent a
//! text since the backup is sent it again.

use std::{collections::BTreeSet, path::Path, time::Duration};

use luci_sandbox::{Carriers, KEY, TOKEN};
use luci_schema::Micros;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::sends::{sending, start};
use crate::{
    sender::fixture::{at_noon, to},
    support::{self, Luci, Nats, Servers, eventually, output, temp_dir},
};

/// Texts before the backup, and after it.
const EARLY: u64 = 12;
const LATE: u64 = 9;

/// Runs the program with the servers of the test, and returns the JSON that it prints.
async fn run(data_dir: &Path, urls: &[(&str, &str)], arguments: &[&str]) -> Value {
    let output = output(data_dir, arguments, urls).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?} printed no JSON"))
}

/// Waits until the carrier took so many texts.
async fn taken(carriers: &Carriers, luci: &Luci, database: &support::Database, count: u64) {
    eventually("the texts are sent", async || {
        at_noon(&database.pool().await).await;
        carriers.taken().len() as u64 == count
    })
    .await;
    eventually("and recorded as sent", async || {
        let (_, page) = luci.api().get("/api/messages?status=sent&limit=200").await;
        page["messages"].as_array().map_or(0, Vec::len) as u64 == count
    })
    .await;
}

/// The address for SignalHouse's deliveries.
async fn webhook(luci: &Luci) -> String {
    let (status, made) = luci.api().post("/api/webhook-tokens", &json!({"source": "signalhouse"})).await;
    assert_eq!(status, 201, "{made}");
    made["path"].as_str().expect("a path").to_owned()
}

async fn reply(luci: &Luci, path: &str, id: &str, (from, text): (&str, &str)) {
    let message =
        json!({"event": "message.received", "message_id": id, "from": from, "to": "+12125550100", "text": text});
    let (status, taken) = luci.api().post(path, &message).await;
    assert_eq!(status, 200, "{taken}");
}

/// A person suppresses a number, or lifts the suppression; the position of the event.
async fn suppression(luci: &Luci, path: &str, body: Value) -> u64 {
    let (status, done) = luci.api().post(path, &body).await;
    assert_eq!(status, 202, "{done}");
    done["position"].as_u64().expect("a position")
}

/// A person suppresses two strangers, and lets the second be contacted again.
async fn suppress_one_of_two(luci: &Luci, nats: &Nats) -> u64 {
    let [stranger, friend] = [to(EARLY + LATE + 1), to(EARLY + LATE + 2)];
    // An opt-out never expires, whatever the request says.
    let ended = Micros::now().rfc3339();
    let stranger = json!({"kind": "phone", "value": stranger, "reason": "OPT_OUT", "expiresAt": ended});
    suppression(luci, "/api/suppressions", stranger).await;
    suppression(luci, "/api/suppressions", json!({"kind": "phone", "value": friend, "reason": "BLACKLIST"})).await;
    let friend = json!({"kind": "phone", "value": friend});
    let last = suppression(luci, "/api/suppressions/remove", friend).await;
    eventually("all is published", async || in_stream(nats).await == last).await;
    last
}

/// Of the two strangers only one gets a text.
async fn the_other_gets_a_text(carriers: &Carriers, luci: &Luci, database: &support::Database, blueprint: &str) {
    let run = start(&luci.api(), blueprint, EARLY + LATE + 1..=EARLY + LATE + 2).await;
    luci.api().run_ended(&run).await;
    let sent_to = |number: u64| carriers.taken().iter().any(|text| text.to == to(number));
    eventually("the friend gets a text", async || {
        at_noon(&database.pool().await).await;
        sent_to(EARLY + LATE + 2)
    })
    .await;
    assert!(!sent_to(EARLY + LATE + 1), "suppressed before the restore");
}

/// The numbers that opted out.
async fn opted_out(luci: &Luci) -> BTreeSet<String> {
    let (_, page) = luci.api().get("/api/suppressions").await;
    let suppressions = page["suppressions"].as_array().cloned().unwrap_or_default();
    let numbers = suppressions.iter().filter_map(|one| one["value"].as_str().map(str::to_owned));
    numbers.filter(|number| number.starts_with('+')).collect()
}

async fn in_stream(nats: &Nats) -> u64 {
    let context = async_nats::jetstream::new(nats.client().await);
    context.get_stream("EVT").await.map_or(0, |stream| stream.cached_info().state.last_sequence)
}

/// Waits until nothing can be recorded.
async fn refused(luci: &Luci) {
    eventually("the process says that it is not ready", async || {
        let (status, ready) = luci.api().get("/readyz").await;
        status == 503 && ready["halted"].as_str().is_some_and(|why| why.contains("EVT ends at"))
    })
    .await;
    let (status, problem) = luci.api().post("/api/sending", &json!({"pauseMs": 1})).await;
    assert_eq!(status, 503, "{problem}");
    assert!(problem["type"].as_str().is_some_and(|name| name.ends_with("log-halted")), "{problem}");
}

/// The same file again, as a person would: the restored database does not know that it was imported.
async fn nobody_is_sent_a_text_again(carriers: &Carriers, luci: &Luci, database: &support::Database, blueprint: &str) {
    let again = start(&luci.api(), blueprint, EARLY + 1..=EARLY + LATE).await;
    let ended = luci.api().run_ended(&again).await;
    assert_eq!(ended["run"]["status"], "completed", "{:#}", ended["run"]);
    // One of them has opted out.
    eventually("each of its texts is refused as sent", async || {
        at_noon(&database.pool().await).await;
        let (_, page) = luci.api().get("/api/messages?status=failed&limit=200").await;
        let failed = page["messages"].as_array().cloned().unwrap_or_default();
        failed.iter().filter(|message| message["errorCode"] == "already_sent").count() as u64 == LATE - 1
    })
    .await;
    let taken = carriers.taken();
    let numbers: BTreeSet<&str> = taken.iter().map(|taken| taken.to.as_str()).collect();
    assert_eq!((taken.len() as u64, numbers.len() as u64), (EARLY + LATE, EARLY + LATE));
}

/// Every schema, table, view, sequence and function belongs to whom it belonged, with the same rights.
async fn same_owners(restored: &support::Database, replaced: &str) {
    let owners = async |url: &str| {
        let mut c = PgConnection::connect(url).await.expect("a connection");
        let sql = "select format('%s schema', n.oid::regnamespace), n.nspowner::regrole::text,
                          (select array_agg(a::text order by a::text) from unnest(n.nspacl) a)::text
                     from pg_namespace n where nspname !~ '^pg_|^information_schema'
                   union all select format('%s %s', c.relkind, c.oid::regclass), c.relowner::regrole::text,
                                    (select array_agg(a::text order by a::text) from unnest(c.relacl) a)::text
                     from pg_class c where relkind in ('r', 'p', 'v', 'S')
                      and c.relnamespace::regnamespace::text !~ '^pg_|^information_schema'
                   union all select p.oid::regprocedure::text, p.proowner::regrole::text,
                                    (select array_agg(a::text order by a::text) from unnest(p.proacl) a)::text
                     from pg_proc p where p.pronamespace::regnamespace::text !~ '^pg_|^information_schema'
                   order by 1";
        sqlx::query_as::<_, (String, String, Option<String>)>(sql).fetch_all(&mut c).await.expect("owners")
    };
    let mut url = url::Url::parse(restored.url()).expect("a URL");
    let now = owners(url.as_str()).await;
    url.set_path(replaced);
    let before = owners(url.as_str()).await;
    assert!(before.iter().any(|(_, owner, _)| owner == "luci_projector"), "{before:?}");
    for (now, before) in now.iter().zip(&before) {
        assert_eq!(now, before);
    }
    assert_eq!(now.len(), before.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_after_a_backup_is_not_sent_again_when_it_is_restored() {
    let (database, nats) = tokio::join!(support::database(), support::nats());
    let carriers = Carriers::start(([127, 0, 0, 1], 0).into(), Duration::ZERO).await.expect("a port");
    let variables = vec![
        ("LUCI_SIGNALHOUSE_URL", carriers.url()),
        ("LUCI_SIGNALHOUSE_ACCOUNT", KEY.to_owned()),
        ("LUCI_SIGNALHOUSE_KEY", TOKEN.to_owned()),
    ];
    let urls = [("LUCI_DATABASE_URL", database.url()), ("LUCI_NATS_URL", nats.url())];
    let mut luci = support::luci_with(Servers::on(&database, &nats), variables).await;
    let blueprint = sending(&luci.api()).await;
    start(&luci.api(), &blueprint, 1..=EARLY).await;
    taken(&carriers, &luci, &database, EARLY).await;
    let address = webhook(&luci).await;
    reply(&luci, &address, "m1", (&to(1), "STOP")).await;

    let folder = temp_dir("backup").join("one");
    let folder = folder.to_str().expect("UTF-8");
    let backup = run(&luci.data_dir, &urls, &["backup", folder, "--json"]).await;
    start(&luci.api(), &blueprint, EARLY + 1..=EARLY + LATE).await;
    taken(&carriers, &luci, &database, EARLY + LATE).await;
    // One who left comes back, another leaves; the order of the two counts.
    reply(&luci, &address, "m2", (&to(1), "START")).await;
    reply(&luci, &address, "m3", (&to(EARLY + 1), "START")).await;
    reply(&luci, &address, "m4", (&to(EARLY + 1), "STOP")).await;
    let left = BTreeSet::from([to(EARLY + 1)]);
    assert_eq!(opted_out(&luci).await, left);
    let published = suppress_one_of_two(&luci, &nats).await;
    luci.stop().await;

    let restored = run(&luci.data_dir, &urls, &["restore", "load", folder, "--json"]).await;
    assert_eq!(restored["position"], backup["position"]);
    same_owners(&database, restored["replaced"].as_str().expect("a name")).await;
    luci.start().await;
    refused(&luci).await;
    let plan = run(&luci.data_dir, &urls, &["restore", "plan", "--json"]).await;
    assert_eq!((&plan["sends"]["count"], &plan["deliveries"]), (&json!(LATE), &json!(3)), "{plan}");
    assert_eq!(plan["suppressions"], 1, "{plan}");
    assert_eq!(opted_out(&luci).await, BTreeSet::from([to(1)]), "as in the backup");
    let lost = published - backup["position"].as_u64().expect("a position");
    assert_eq!(plan["lostEvents"]["count"], lost, "{plan}");
    assert!(plan["halted"].as_str().is_some_and(|why| why.contains("EVT ends at")), "{plan}");
    let file = temp_dir("lost").join("events.ndjson");
    let file = file.to_str().expect("UTF-8");
    let accepted = run(&luci.data_dir, &urls, &["restore", "accept", "--lost-events", file, "--json"]).await;
    assert_eq!((&accepted["sends"], &accepted["deliveries"]), (&json!(LATE), &json!(3)), "{accepted}");
    assert_eq!((&accepted["position"], &accepted["suppressions"]), (&backup["position"], &json!(1)));
    assert_eq!(std::fs::read_to_string(file).expect("saved").lines().count() as u64, lost);

    luci.stop().await;
    luci.start().await;
    assert_eq!(opted_out(&luci).await, left, "as before the restore");
    nobody_is_sent_a_text_again(&carriers, &luci, &database, &blueprint).await;
    the_other_gets_a_text(&carriers, &luci, &database, &blueprint).await;
    eventually("EVT is the log's again", async || in_stream(&nats).await > backup["position"].as_u64().unwrap_or(0))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_and_the_keys_are_enough_for_a_new_machine() {
    let mut luci = support::luci(Servers::Private).await;
    let api = luci.api();
    let csv = "Company,First Name,Cell\nAcme,Ann,(917) 555-0101\nBolt,Bob,(917) 555-0102\n";
    let request = api.request(Method::POST, "/api/imports?fileName=leads.csv").header("content-type", "text/csv");
    let import: Value = request.body(csv).send().await.expect("an answer").json().await.expect("JSON");
    let stage = |name: &str| json!({"name": name, "stage": name, "config": {}});
    let stages = [stage("import"), stage("validate")];
    let (status, made) = api.post("/api/blueprints", &json!({"name": "read", "stages": stages})).await;
    assert_eq!(status, 201, "{made}");
    let mut body = json!({"importId": import["importId"], "blueprintId": made["blueprintId"]});
    let (status, started) = api.post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{started}");
    let run_id = started["runId"].as_str().expect("an id");
    let ended = api.run_ended(run_id).await;

    let folder = temp_dir("backup").join("all");
    let folder = folder.to_str().expect("UTF-8");
    let backup = run(&luci.data_dir, &[], &["backup", folder, "--json"]).await;
    luci.stop().await;
    let new = temp_dir("new machine");
    for key in ["master.key", "seal.key"] {
        std::fs::copy(luci.data_dir.join(key), new.join(key)).expect("kept elsewhere");
    }
    let restored = run(&new, &[], &["restore", "load", folder, "--json"]).await;
    assert_eq!((&restored["position"], &restored["objectsCopied"]), (&backup["position"], &backup["objects"]));

    let luci = support::luci_in(new, Servers::Private).await;
    let (_, detail) = luci.api().get(&format!("/api/pipelines/{run_id}")).await;
    assert_eq!(detail["run"], ended["run"]);
    let checked = run(&luci.data_dir, &[], &["storage", "check", "--json"]).await;
    assert_eq!(checked["faults"], json!([]), "{checked}");
    body["allowRepeat"] = true.into();
    let (status, again) = luci.api().post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{again}");
    luci.api().run_ended(again["runId"].as_str().expect("an id")).await;
}
