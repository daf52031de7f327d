//! `luci storage migrate-legacy`: the real binary is killed five times, and the manifest is true at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Instant,
};

use luci_config::tenants;
use luci_leads::commands::sectors;
use luci_schema::{
    TenantId,
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::{PLUMBERS, put_old};
use crate::support::{Database, database, eventually, output, process, temp_dir};

/// A store with objects of the older platform, and the tenant that owns them.
struct OldStore {
    objects: PathBuf,
    database: Database,
    pool: PgPool,
    tenant: TenantId,
    other: TenantId,
}

impl OldStore {
    async fn with(count: usize) -> Self {
        let (database, objects) = (database().await, temp_dir("old-objects"));
        let pool = migrate::connect(database.url(), DatabaseRole::Engine, 4).await.expect("connected");
        let log = Log::open(pool, LogOptions::default()).await.expect("a log");
        let found = async |name: &str| {
            tenants::create(&log, name, name, sectors::seed_new_tenant).await.expect("a tenant").tenant
        };
        let (tenant, other) = (found("old").await, found("other").await);
        for n in 0..count {
            put_old(&objects, &key(n), format!("object {n}, {}", "x".repeat(n % 97)).as_bytes());
        }
        let index = json!({"bucketId": "ny-construction-plumbers", "name": "NY Plumbers", "sicCodes": ["1711"]});
        put_old(&objects, &format!("{PLUMBERS}index.json"), index.to_string().as_bytes());
        put_old(&objects, "notes/plan.txt", b"of nobody");
        put_old(&objects, &format!("{other}/imports/2025-01-01/x.csv"), b"of another tenant");
        let pool = database.pool().await;
        Self { objects, database, pool, tenant, other }
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LUCI_DATABASE_URL", self.database.url().to_owned()),
            ("LUCI_STORE_URL", format!("file://{}", self.objects.display())),
            ("LUCI_LEGACY_TENANT", self.tenant.to_string()),
        ]
    }

    /// Runs to the end; the summary and the manifest.
    async fn migrate(&self, arguments: &[&str]) -> (Value, Vec<Value>) {
        let manifest = temp_dir("manifest").join("manifest.ndjson");
        let file = manifest.display().to_string();
        let arguments = [&["storage", "migrate-legacy", "-o", "json", "--manifest", &file][..], arguments].concat();
        let variables = self.variables();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let done = output(&temp_dir("luci"), &arguments, &variables).await;
        let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{out}{error}");
        let lines = std::fs::read_to_string(manifest).expect("a manifest");
        let lines = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (serde_json::from_str(&out).expect("JSON"), lines)
    }

    async fn recorded(&self) -> usize {
        let count: i64 = sqlx::query_scalar("select count(*) from legacy_objects where tenant_id = $1")
            .bind(self.tenant.to_string())
            .fetch_one(&self.pool)
            .await
            .expect("counted");
        usize::try_from(count).expect("a count")
    }

    /// SHA-256 by path, of all that is not below the tenant.
    fn old_files(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        files(&self.objects, &mut found);
        found.retain(|path, _| !path.starts_with(self.objects.join(self.tenant.to_string())));
        found
    }

    fn new_files(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        files(&self.objects.join(self.tenant.to_string()), &mut found);
        // A killed process leaves parts of objects, which no listing shows.
        found.retain(|path, _| !path.to_string_lossy().contains('#'));
        found
    }
}

fn files(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let digest = hex::encode(Sha256::digest(std::fs::read(&path).expect("readable")));
            found.insert(path, digest);
        }
    }
}

/// A key of each pattern in turn.
fn key(n: usize) -> String {
    let (ms, iso) = (1_700_000_000_000_u64 + n as u64, format!("2025-03-{:02}T10-20-30-{:03}Z", n % 28 + 1, n % 1_000));
    match n % 16 {
        0 => format!("{PLUMBERS}raw/upload-{ms}-abcdefghi.csv"),
        1 => format!("{PLUMBERS}processed/upload-{ms}-abcdefghi.json"),
        2 => format!("buckets/csv-{ms}-abcdefghi.json"),
        3 => format!("campaigns/c{n}.json"),
        4 => format!("queues/q{n}.json"),
        5 => format!("uploads/{iso}_file_{n}.csv"),
        6 => format!("datalake/phones/ny/raw/{iso}_cells_{n}.csv.meta.json"),
        7 => format!("datalake/business/ny/sectors/automotive/dealers/{iso}_a_{n}.csv"),
        8 => format!("searches/plumbers-{ms}.json"),
        9 => format!("exports/{ms}-leads.csv"),
        10 => format!("fdaily/b{n}.json"),
        11 => format!("research-library/a/{n}.pdf"),
        12 => format!("partnerships/p{n}.json"),
        13 => format!("leads/l{n}/photo.png"),
        14 => format!("buckets/b{n}/sectors/us-automotive-x/My File {n}.json").replace(' ', "_"),
        _ => format!("uploads/user{n}/list.csv"),
    }
}

async fn through_kills(count: usize, kills: usize) {
    let store = OldStore::with(count).await;
    let before = store.old_files();
    let (dry, lines) = store.migrate(&["--dry-run"]).await;
    assert_eq!((&dry["wouldCopy"], &dry["inTable"], &dry["unknown"]), (&json!(count), &json!(1), &json!(1)), "{dry}");
    assert_eq!(
        (store.recorded().await, store.new_files().len(), lines.len()),
        (0, 0, count + 2),
        "nothing was changed"
    );

    let began = Instant::now();
    for kill in 1..=kills {
        let mut child = process(&["storage", "migrate-legacy"], store.variables()).await;
        let goal = kill * count / (kills * 2);
        eventually("some objects are migrated", async || store.recorded().await >= goal).await;
        assert!(child.try_wait().expect("asked").is_none(), "it was killed before its end");
        child.kill().expect("killed");
        tokio::task::spawn_blocking(move || child.wait()).await.expect("joined").expect("it ended");
    }
    let recorded = store.recorded().await;
    assert!(recorded < count, "{recorded} of {count}: the last run has something to do");
    let (summary, lines) = store.migrate(&[]).await;
    println!("{count} objects through {kills} kills in {:?}: {summary}", began.elapsed());
    let of = |name: &str| usize::try_from(summary[name].as_u64().expect("a count")).expect("a count");
    assert_eq!((of("copied") + of("alreadyCopied"), of("inTable"), of("failed"), of("unknown")), (count, 1, 0, 1));
    assert!(of("alreadyCopied") >= recorded - 1, "{summary}");
    check_manifest(&store, &lines, count);
    assert_eq!(store.old_files(), before, "nothing was moved, deleted or changed");

    let (again, same) = store.migrate(&[]).await;
    assert_eq!((&again["alreadyCopied"], &again["copied"]), (&json!(count), &json!(0)), "{again}");
    let new_keys =
        |lines: &[Value]| -> BTreeSet<String> { lines.iter().map(|line| line["newKey"].to_string()).collect() };
    assert_eq!(new_keys(&same), new_keys(&lines));
    let theirs: i64 = sqlx::query_scalar("select count(*) from legacy_objects where tenant_id = $1")
        .bind(store.other.to_string())
        .fetch_one(&store.pool)
        .await
        .expect("counted");
    assert_eq!(theirs, 0);
}

/// Each line says what is stored, and nothing is stored that no line says.
fn check_manifest(store: &OldStore, lines: &[Value], count: usize) {
    let (old, new) = (store.old_files(), store.new_files());
    let mut seen = BTreeSet::new();
    for line in lines {
        let text = |name: &str| line[name].as_str();
        let old_digest = &old[&store.objects.join(text("legacyKey").expect("a key"))];
        if let Some(key) = text("newKey") {
            assert!(key.starts_with(&format!("{}/", store.tenant)), "{line}");
            let path = store.objects.join(key);
            assert_eq!((new.get(&path), text("checksum")), (Some(old_digest), Some(old_digest.as_str())), "{line}");
            assert!(seen.insert(path), "two objects have one copy: {line}");
        }
    }
    assert_eq!((lines.len(), seen.len(), new.len()), (count + 2, count, count), "nothing is there twice");
    let processed = |line: &&Value| line["legacyKey"].as_str().is_some_and(|key| key.contains("/processed/"));
    let lists = lines
        .iter()
        .filter(processed)
        .filter(|line| line["newKey"].as_str().is_some_and(|key| key.contains("/sectors/")));
    assert_eq!(lists.count(), lines.iter().filter(processed).count(), "the lists of a bucket are those of its sector");
}

#[tokio::test]
async fn a_thousand_objects_migrate_through_five_kills() {
    through_kills(1_000, 5).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_hundred_thousand_objects_migrate_through_five_kills() {
    through_kills(100_000, 5).await;
}

#[tokio::test]
async fn a_migration_needs_its_tenant_and_says_what_failed() {
    let store = OldStore::with(3).await;
    let variables = store.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let folder = temp_dir("luci");
    let run = async |arguments: &[&str], variables: &[(&str, &str)]| {
        let done = output(&folder, &[&["storage", "migrate-legacy"][..], arguments].concat(), variables).await;
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr),
        )
    };
    let (code, text) = run(&[], &variables[..2]).await;
    assert!(code == Some(78) && text.contains("LUCI_LEGACY_TENANT"), "{code:?} {text}");
    let (code, text) = run(&["--tenant", "old"], &variables[..2]).await;
    assert!(code == Some(2) && text.contains("--tenant"), "{code:?} {text}");
    let nobody = TenantId::generate().to_string();
    assert_eq!(run(&["--tenant", &nobody], &variables[..2]).await.0, Some(2));
    // A foreign object where a copy belongs is left as it is.
    let (_, lines) = store.migrate(&["--dry-run"]).await;
    // A list goes to a sector that is made by the migration itself.
    let raw = |line: &&Value| line["legacyKey"].as_str().is_some_and(|key| key.contains("/raw/"));
    let line = lines.iter().find(raw).expect("a copy");
    put_old(&store.objects, line["newKey"].as_str().expect("a key"), b"another object");
    let (code, text) = run(&[], &variables).await;
    let old = line["legacyKey"].as_str().expect("a key");
    assert!(code == Some(1) && text.contains(old) && text.contains("1 failed"), "{code:?} {text}");
    assert!(text.contains("manifest: "), "{text}");
    // A bucket that the tenant lacked is a sector now.
    let sector: i64 =
        sqlx::query_scalar("select count(*) from sectors where legacy_bucket_id = 'ny-construction-plumbers'")
            .fetch_one(&store.pool)
            .await
            .expect("counted");
    assert_eq!(sector, 1);
}
