//! Random changes by a superuser of the database are all named by `luci audit verify --all`.

use luci::cli::audit::{
    all::{Report, Sources, check},
    witnesses::Witness,
};
use luci_runs::{
    relay::{self, RelayOptions},
    seal_stream::SealStream,
    sealer::object_path,
};
use luci_schema::{
    Actor, CommandId, ConfigEvent, CorrelationId, Event, Micros, Position, TenantId, Version,
    event::TenantUpdated,
    log::{Append, Log, LogOptions, NewReceipt},
    migrate::{self, DatabaseRole},
};
use luci_storage::Storage;
use serde_json::json;
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use super::{
    changes::{Change, Figures, change},
    fixture::{Chooser, sealed_system, sealed_to},
};
use crate::support::{Database, Nats, eventually, output, seal_key, temp_dir};

const MUTATIONS: usize = 300;
const SEED: u64 = 300;

/// A log at rest: runs and configuration, sealed but for its last events, all of it published.
struct AtRest {
    database: Database,
    nats: Nats,
    client: async_nats::Client,
    storage: Storage,
    objects: std::path::PathBuf,
    keys: Vec<String>,
    witnesses: Vec<Witness>,
    figures: Figures,
    now: Micros,
}

impl AtRest {
    async fn new() -> Self {
        let dir = temp_dir("mutations");
        let fixture = sealed_system(&dir).await;
        let (storage, objects) = (fixture.system.storage.clone(), fixture.system.objects.clone());
        fixture.sandbox.stop().await;
        let (database, nats) = fixture.system.stop().await;
        let pool = migrate::connect(database.url(), DatabaseRole::Engine, 4).await.expect("a pool");
        let log = Log::open(pool, LogOptions::default()).await.expect("a log");
        let sealed = sealed_to(&log).await;
        append_unsealed(&log).await;
        let client = nats.client().await;
        publish(&log, &nats).await;
        let head = log.newest().await.expect("the head");
        let seals = SealStream::on(&client).read().await.expect("seals");
        let figures = Figures { head: head.0, sealed: sealed.0, seals: seals.len() as u64 };
        assert!(figures.seals > 1 && head > sealed, "{figures:?}");
        let witnesses = vec![Witness { name: "stream SEALS".into(), seals }];
        let keys = vec![hex::encode(seal_key().public())];
        let now = Micros::now();
        Self { database, nats, client, storage, objects, keys, witnesses, figures, now }
    }

    async fn check(&self, c: &mut PgConnection) -> Report {
        let sources = Sources {
            storage: &self.storage,
            keys: &self.keys,
            witnesses: &self.witnesses,
            broker: Some(&self.client),
            now: self.now,
        };
        check(c, &sources).await.expect("it is read")
    }
}

/// Events of a new tenant, with and without receipts, that no sealer sees.
async fn append_unsealed(log: &Log) {
    let tenant = TenantId::generate();
    for n in 0..8 {
        let command = CommandId::derive(&[&tenant.to_string(), &n.to_string()]);
        let receipt = NewReceipt { body_digest: [7; 32], outcome: json!({"n": n}) };
        let append = Append {
            tenant,
            stream: tenant.into(),
            expected: Version(n.into()),
            events: vec![Event::Config(ConfigEvent::TenantUpdated(TenantUpdated { active_runs: n + 1 }))],
            actor: Actor::System,
            command,
            correlation: CorrelationId::generate(),
            causation: None,
            receipt: (n % 2 == 0).then_some(receipt),
        };
        log.append(append).await.expect("appended");
    }
}

async fn publish(log: &Log, nats: &Nats) {
    let stop = CancellationToken::new();
    let relay = relay::run(RelayOptions::owned_by("evidence"), log.clone(), nats.client().await, stop.clone());
    let relay = tokio::spawn(relay);
    let context = async_nats::jetstream::new(nats.client().await);
    eventually("EVT ends at the head", async || {
        let head = log.newest().await.expect("the head");
        let stream = context.get_stream("EVT").await;
        stream.is_ok_and(|stream| stream.cached_info().state.last_sequence == head.0)
    })
    .await;
    stop.cancel();
    relay.await.expect("joined").expect("no error");
}

/// The owner takes the guards away.
async fn unguard(admin: &PgPool) {
    let tables: Vec<String> = sqlx::query_scalar(
        "select relid::regclass::text from pg_partition_tree('log.events') union all select 'log.seals'",
    )
    .fetch_all(admin)
    .await
    .expect("tables");
    for table in tables {
        let unguarded = sqlx::AssertSqlSafe(format!("alter table {table} disable trigger user"));
        sqlx::query(unguarded).execute(admin).await.expect("unguarded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_by_a_superuser_is_named() {
    let rest = AtRest::new().await;
    let admin = rest.database.pool().await;
    let mut c = admin.acquire().await.expect("a connection");
    let whole = rest.check(&mut c).await;
    assert!(whole.is_intact(), "{:#?}", whole.as_lines());
    let Figures { head, sealed, .. } = rest.figures;
    assert_eq!((whole.proved(), whole.published()), (sealed, head));
    unguard(&admin).await;

    let mut chooser = Chooser(SEED);
    let mut made = 0;
    while made < MUTATIONS {
        let Change { what, sql, position } = change(&mut chooser, &rest.figures);
        let mut tx = c.begin().await.expect("a transaction");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).execute(&mut *tx).await.unwrap_or_else(|error| {
            panic!("{what}: {error}\n{sql}");
        });
        let report = rest.check(&mut tx).await;
        // One event more that looks like an append is not wrong yet: it is named as neither sealed nor published.
        assert!(!report.is_intact() || report.not_covered() == position.zip(position), "not noticed: {what}\n{sql}");
        if let Some(position) = position {
            let proved = report.proved().max(report.published());
            assert!(proved < position, "{what} at {position}, yet right up to {proved}: {:#?}", report.as_lines());
        }
        tx.rollback().await.expect("undone");
        made += 1;
    }
    let whole = rest.check(&mut c).await;
    assert!(whole.is_intact() && whole.not_covered().is_none(), "{:#?}", whole.as_lines());
    println!("{made} changes named");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_history_that_was_sealed_again_is_named() {
    let rest = AtRest::new().await;
    let admin = rest.database.pool().await;
    unguard(&admin).await;
    let mut c = admin.acquire().await.expect("a connection");
    // Seals and their objects are gone: the witness knows them.
    let mut tx = c.begin().await.expect("a transaction");
    sqlx::query("delete from log.seals").execute(&mut *tx).await.expect("removed");
    for id in 1..=rest.figures.seals {
        rest.storage.delete(&object_path(id)).await.expect("removed");
    }
    let report = rest.check(&mut tx).await;
    let lines = report.as_lines().join("\n");
    assert!(lines.contains("stream SEALS has seal") && report.proved() == 0, "{lines}");

    // And the changed log is sealed again, with the right key.
    let forged = "update log.events set data = ('{\"zz\":1,' || substr(data::text, 2))::json where position = 2; \
                  update log.events e set hash = log.event_hash(e) where position = 2";
    sqlx::raw_sql(forged).execute(&mut *tx).await.expect("forged");
    let hashes = luci_schema::log::hashes(&mut tx, Position(1), Position(rest.figures.head)).await.expect("hashes");
    let leaves: Vec<_> = (1..).zip(&hashes).map(|(at, hash)| luci_schema::merkle::leaf(Position(at), hash)).collect();
    let seal = seal_key().seal(None, Position(rest.figures.head), luci_schema::merkle::root(&leaves), Micros::now());
    luci_schema::log::add_seal(&mut tx, &seal).await.expect("sealed");
    let copy = serde_json::to_vec(&seal).expect("JSON");
    rest.storage.put_new(&object_path(1), copy.into(), "application/json").await.expect("stored");
    let report = rest.check(&mut tx).await;
    let lines = report.as_lines().join("\n");
    assert!(lines.contains("stream SEALS has another seal of this number"), "{lines}");
    assert!(lines.contains("evt: position 2: the hash that was published is another"), "{lines}");
    assert_eq!((report.proved(), report.published()), (0, 1), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_names_what_is_missing_in_store_and_broker() {
    let rest = AtRest::new().await;
    let folder = temp_dir("auditor");
    let variables = [
        ("LUCI_DATABASE_URL", rest.database.url().to_owned()),
        ("LUCI_NATS_URL", rest.nats.url().to_owned()),
        ("LUCI_STORE_URL", format!("file://{}", rest.objects.display())),
    ];
    let run = async |arguments: &[&str], code: i32| {
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let done = output(&folder, &[&["audit", "verify", "--all"], arguments].concat(), &variables).await;
        let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert_eq!(done.status.code(), Some(code), "{text}");
        text
    };
    let Figures { head, sealed, .. } = rest.figures;
    let whole = run(&["--key", &rest.keys[0]], 0).await;
    assert!(
        whole.contains("nothing found") && whole.contains(&format!("up to position {sealed} of {head}")),
        "{whole}"
    );
    let other = run(&["--key", &"0".repeat(64), "--json"], 1).await;
    assert!(other.contains("not one of the allowed sealing keys"), "{other}");

    rest.client.publish("evt.stray", "x".into()).await.expect("published");
    rest.client.flush().await.expect("flushed");
    rest.storage.delete(&object_path(1)).await.expect("removed");
    let found = run(&[], 1).await;
    assert!(found.contains(&format!("evt: position {}: it was published, and the log lacks it", head + 1)), "{found}");
    assert!(found.contains("the store has no copy at audit/seals/0000000001.json"), "{found}");
    let found = run(&["--without-broker"], 1).await;
    assert!(!found.contains("evt:") && found.contains("proved by seals up to position 0"), "{found}");
}
