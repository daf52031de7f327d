//! Automations: validation, tests that start nothing, one run for new leads and for each due time.

use luci_leads::{
    Lead,
    lead::assignment::{AssignmentRule, SectorAssignment},
    lead_id,
    store::{
        leads,
        sectors::{self, Sector},
    },
};
use luci_runs::{
    clock::{self, ClockOptions},
    issue::Issuer,
};
use luci_schema::{
    Micros, Position, SectorId,
    log::{Log, LogOptions, follower_position},
    migrate::{self, DatabaseRole},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fixture::{import, start, still, whole};
use crate::{
    flow::fixture::chatter,
    support::{Api, eventually, found, probes},
};

pub async fn made(api: &Api, spec: &Value) -> String {
    let (status, answer) = api.post("/api/automations", spec).await;
    assert_eq!((status.as_u16(), &answer["status"]), (201, &json!("disabled")), "{answer}");
    let id = answer["automationId"].as_str().expect("an id").to_owned();
    let (status, answer) = api.post(&format!("/api/automations/{id}/enable"), &json!({})).await;
    assert_eq!((status.as_u16(), &answer["status"]), (202, &json!("enabled")));
    id
}

/// Types and data of its history, the newest first, once `done` says so.
pub async fn history(api: &Api, id: &str, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    found(&format!("the history of {id}"), async || {
        let (_, detail) = api.get(&format!("/api/automations/{id}")).await;
        let recent = detail["recent"].as_array().expect("a history").clone();
        done(&recent).then_some(recent)
    })
    .await
}

pub fn of<'a>(recent: &'a [Value], kind: &str) -> Vec<&'a Value> {
    recent.iter().filter(|event| event["type"] == kind).map(|event| &event["data"]).collect()
}

pub async fn types(log: &Log) -> Vec<String> {
    let (mut types, mut at) = (Vec::new(), Position(0));
    log.newest().await.expect("a head");
    loop {
        let page = log.read(at, 500).await.expect("events");
        let Some(last) = page.last() else { return types };
        at = last.position;
        types.extend(page.iter().map(|event| event.event_type.to_string()));
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_named() {
    let system = still().await;
    let nowhere = "sector_00000000000000000000000000";
    let cases = [
        (json!({"name": "", "trigger": {"type": "lead_created"}}), "name"),
        (json!({"name": "a", "trigger": {"type": "full_moon"}}), "body"),
        (json!({"name": "a", "trigger": {"type": "lead_created"}, "sped": 1}), "sped"),
        (json!({"name": "a", "trigger": {"type": "lead_created", "cron": "* * * * *"}}), "trigger.cron"),
        (json!({"name": "a", "trigger": {"type": "schedule", "cron": "0 9 * * *"}}), "sectorId"),
        (json!({"name": "a", "trigger": {"type": "schedule", "cron": "0 9 * * *"}, "sectorId": nowhere}), "sectorId"),
        (
            json!({"name": "a", "trigger": {"type": "schedule", "cron": "0 0 9 * * *"}, "sectorId": nowhere}),
            "trigger.cron",
        ),
        (
            json!({"name": "a", "trigger": {"type": "schedule", "cron": "61 9 * * *"}, "sectorId": nowhere}),
            "trigger.cron",
        ),
        (
            json!({"name": "a", "sectorId": nowhere,
                   "trigger": {"type": "schedule", "cron": "0 9 * * *", "timeZone": "Mars/Olympus"}}),
            "trigger.timeZone",
        ),
        (
            json!({"name": "a", "trigger": {"type": "lead_created"}, "conditions": [{"field": "leads", "op": "in", "value": 1}]}),
            "conditions[0].value",
        ),
        (
            json!({"name": "a", "trigger": {"type": "lead_created"}, "blueprintId": "bp_00000000000000000000000000"}),
            "blueprintId",
        ),
    ];
    for (body, field) in cases {
        let (status, problem) = system.api.post("/api/automations", &body).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!(field)), "{body} {problem}");
    }
}

#[tokio::test]
async fn a_test_starts_nothing_and_a_removed_automation_is_gone() {
    let system = still().await;
    let api = &system.api;
    let spec = json!({
        "name": "big ones", "conditions": [{"not": {"field": "sectorId", "op": "exists"}}],
        "trigger": {"type": "lead_created", "conditions": [{"field": "leads", "op": "gte", "value": 10}]},
    });
    let id = made(api, &spec).await;
    let trial = async |facts: Value| -> Value {
        let (status, answer) = api.post(&format!("/api/automations/{id}/test"), &json!({"facts": facts})).await;
        assert_eq!(status, 200, "{answer}");
        answer
    };
    assert_eq!(trial(json!({"leads": 10})).await["wouldStart"], true);
    let small = trial(json!({"leads": 9})).await;
    assert_eq!(
        (&small["wouldStart"], &small["triggerConditions"], &small["conditions"]),
        (&json!(false), &json!(false), &json!(true))
    );
    assert_eq!(trial(json!({"leads": 10, "sectorId": "s"})).await["conditions"], false);
    assert_eq!(api.get("/api/pipelines").await.1["total"], 0);
    assert_eq!(api.delete(&format!("/api/automations/{id}")).await.0, 202);
    assert_eq!(api.get(&format!("/api/automations/{id}")).await.0, 404);
    assert_eq!(api.get("/api/automations").await.1["automations"], json!([]));
}

#[tokio::test]
async fn new_leads_start_one_run_a_block_and_the_leads_of_that_run_start_none() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let big = json!({"type": "lead_created", "conditions": [{"field": "leads", "op": "gte", "value": 5}]});
    let id = made(api, &json!({"name": "follow up", "trigger": big, "budgetMicros": 50_000_000})).await;
    let import = import(api, 27).await;
    // Three VALIDATE blocks: of ten, ten and seven leads.
    let body = json!({"importId": import, "options": {"blockSize": 10}});
    let (_, first) = api.post("/api/pipelines", &body).await;
    let recent = history(api, &id, |recent| of(recent, "automation:fired").len() == 3).await;
    let mut leads = 0;
    for fired in of(&recent, "automation:fired") {
        let run = fired["runId"].as_str().expect("a run");
        let ended = api.run_ended(run).await;
        assert_eq!(ended["run"]["status"], "completed");
        assert_eq!(ended["run"]["triggeredBy"], format!("automation:{id}"));
        assert_eq!(ended["run"]["triggerType"], "automation");
        leads += ended["run"]["totalLeads"].as_u64().expect("a count");
    }
    assert_eq!(leads, 27, "each lead in one of them");
    api.run_ended(first["runId"].as_str().expect("a run")).await;
    // Another manual run: two leads are below the condition. When it has ended, the clock has read everything before.
    let (small, _) = start(api, 2).await;
    api.run_ended(&small).await;
    let (_, page) = api.get("/api/pipelines").await;
    assert_eq!(page["total"], 5, "an automation's own leads started nothing");
    let types = types(&system.running.log).await;
    assert_eq!(types.iter().filter(|kind| *kind == "automation:fired").count(), 3);
    assert_eq!(types.iter().filter(|kind| *kind == "automation:skipped").count(), 0);
}

/// Waits until `kind` is in the log.
async fn after(log: &Log, kind: &str) {
    eventually(kind, async || types(log).await.iter().any(|found| found == kind)).await;
}

#[tokio::test]
async fn a_due_time_missed_without_a_clock_starts_exactly_one_run() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let sector = Sector {
        id: SectorId::generate(),
        slug: "north".into(),
        name: "North".into(),
        state: None,
        sic_codes: vec![],
        legacy_bucket_id: None,
        created_at: Micros::now(),
    };
    let mut c = system.running.log.pool().acquire().await.expect("a connection");
    sectors::create(&mut c, system.tenant, &sector).await.expect("a sector");
    drop(c);
    let spec = json!({"name": "yearly", "sectorId": sector.id, "trigger": {"type": "schedule", "cron": "0 0 1 1 *"}});
    let id = made(api, &spec).await;
    let trial = async || api.post(&format!("/api/automations/{id}/test"), &json!({})).await.1;
    assert_eq!(trial().await["wrong"], json!(["sectorId: the sector has no leads"]));
    let import = import(api, 3).await;
    let (_, run) = api.post("/api/pipelines", &json!({"importId": import, "sectorId": sector.id})).await;
    api.run_ended(run["runId"].as_str().expect("a run")).await;
    let ready = trial().await;
    assert_eq!((&ready["wouldStart"], &ready["leads"]), (&json!(true), &json!(3)), "{ready}");
    assert_eq!(ready["nextDue"].as_array().map(Vec::len), Some(5));
    let storage = system.storage.clone();
    let (database, _nats) = system.stop().await;

    // Three years without a clock, twice: the second time with the table as it was before, so that it is due again.
    let pool = database.pool().await;
    let aged: String = sqlx::query_scalar(
        "select jsonb_set(state::jsonb, '{since}', to_jsonb($1::bigint))::text from automation_watch",
    )
    .bind(Micros::now().0 - 3 * 366 * 86_400_000_000)
    .fetch_one(&pool)
    .await
    .expect("a state");
    for round in 0..2 {
        let restore = sqlx::query("update automation_watch set state = $1::json").bind(&aged).execute(&pool).await;
        assert_eq!(restore.expect("restored").rows_affected(), 1);
        let engine = migrate::connect(database.url(), DatabaseRole::Engine, 8).await.expect("a pool");
        let log = Log::open(engine, LogOptions::default()).await.expect("a log");
        let stop = CancellationToken::new();
        let options = ClockOptions::owned_by(format!("clock {round}"));
        let reactors = luci_stages::reactors(&Issuer::new(log.clone()), &log, &storage, &probes());
        let clock = tokio::spawn(clock::run(options, reactors, log.clone(), stop.clone()));
        after(&log, "automation:fired").await;
        // In the second round nothing is fired. The clock's checkpoint passes an event that is new only after the clock has
        // looked at what is due, and it finishes what it has begun before it ends.
        chatter(&log, 1).await;
        saved(&pool, &log).await;
        stop.cancel();
        clock.await.expect("no panic").expect("no error");
        let types = types(&log).await;
        let count = |kind: &str| types.iter().filter(|found| *found == kind).count();
        let counts = (count("automation:fired"), count("automation:skipped"), count("run:queued"));
        assert_eq!(counts, (1, 0, 2), "round {round}");
    }
}

/// A sector with one lead, as a run leaves it.
async fn sector_of_one(system: &crate::support::System) -> SectorId {
    let mut c = system.running.log.pool().acquire().await.expect("a connection");
    let id = sectors::page(&mut c, system.tenant, None, None, 1_000).await.expect("the default set")[0].id;
    let mut lead = Lead::bare(lead_id("import_a", 1), 1, 2);
    leads::save(&mut c, system.tenant, "import_a", &[&lead]).await.expect("saved");
    lead.sector = Some(SectorAssignment { sector_id: Some(id), rule: AssignmentRule::Run, confidence: 100 });
    leads::update(&mut c, system.tenant, &[&lead]).await.expect("placed");
    id
}

#[tokio::test]
async fn missed_and_overlapping_times_follow_the_two_policies() {
    // No engine: a run that is queued has not ended.
    let system = still().await;
    let (api, log) = (&system.api, &system.running.log);
    let sector = sector_of_one(&system).await;
    let yearly = async |overlap: &str, catch_up: &str| {
        let trigger = json!({"type": "schedule", "cron": "0 0 1 1 *", "overlap": overlap, "catchUp": catch_up});
        made(api, &json!({"name": "yearly", "sectorId": sector, "trigger": trigger})).await
    };
    let (skip, allow) = (yearly("skip", "all").await, yearly("allow", "all").await);
    let (queue, last, none) =
        (yearly("queue", "all").await, yearly("allow", "last").await, yearly("allow", "none").await);
    let pool = system.database.pool().await;
    for round in ["of now", "after three years"] {
        let stop = CancellationToken::new();
        let options = ClockOptions::owned_by(round);
        let reactors = luci_stages::reactors(&Issuer::new(log.clone()), log, &system.storage, &probes());
        let clock = tokio::spawn(clock::run(options, reactors, log.clone(), stop.clone()));
        if round == "after three years" {
            history(api, &allow, |recent| of(recent, "automation:fired").len() == 3).await;
            history(api, &skip, |recent| of(recent, "automation:skipped").len() == 2).await;
            history(api, &queue, |recent| of(recent, "automation:fired").len() == 1).await;
            history(api, &last, |recent| of(recent, "automation:fired").len() == 1).await;
        }
        saved(&pool, log).await;
        stop.cancel();
        clock.await.expect("no panic").expect("no error");
        sqlx::query(
            "update automation_watch set state = jsonb_set(state::jsonb, '{since}', to_jsonb($1::bigint))::json",
        )
        .bind(Micros::now().0 - 3 * 366 * 86_400_000_000)
        .execute(&pool)
        .await
        .expect("aged");
    }
    let fired_and_skipped = async |id: &str| {
        let recent = history(api, id, |_| true).await;
        (of(&recent, "automation:fired").len(), of(&recent, "automation:skipped").len())
    };
    assert_eq!(
        (fired_and_skipped(&skip).await, fired_and_skipped(&allow).await, fired_and_skipped(&queue).await),
        ((1, 2), (3, 0), (1, 0))
    );
    assert_eq!((fired_and_skipped(&last).await, fired_and_skipped(&none).await), ((1, 0), (0, 0)));
    let reasons = history(api, &skip, |_| true).await;
    assert!(of(&reasons, "automation:skipped").iter().all(|skipped| skipped["reason"] == "overlap"), "{reasons:?}");
}

/// Waits until the clock has saved what it read.
pub async fn saved(pool: &sqlx::PgPool, log: &Log) {
    eventually("the clock's checkpoint is the log's end", async || {
        let mut c = pool.acquire().await.expect("a connection");
        follower_position(&mut c, "clock").await.expect("a position") >= log.newest().await.expect("a head")
    })
    .await;
}
