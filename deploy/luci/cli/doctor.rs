//! `luci doctor`: checks what LUCI needs, one thing a line, with a remedy for each that is wrong. Changes nothing.

mod gateway;

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use clap::Args;
use luci_schema::{Micros, Position, log::last_seal, migrate};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    Outcome,
    audit::seals::not_sealed,
    migrate::database_url,
    out::{self, Format, table::Column},
};
use crate::{
    config::{Config, StoreAddress},
    local::InstanceFile,
};

/// A connection that takes longer does not work.
const TIMEOUT: Duration = Duration::from_secs(5);

const COLUMNS: [Column; 4] = [
    Column::status("STATE", "state"),
    Column::text("CHECK", "check"),
    Column::text("FOUND", "found"),
    Column::text("REMEDY", "remedy"),
];

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    format: Format,
}

/// What was found. `remedy`: what to do; none when all is well. A note needs nothing to be done unless it is wanted.
struct Finding {
    check: &'static str,
    found: String,
    remedy: Option<&'static str>,
    note: bool,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, found: found.into(), remedy: None, note: false }
    }

    fn note(check: &'static str, found: impl Into<String>, remedy: &'static str) -> Self {
        Self { check, found: found.into(), remedy: Some(remedy), note: true }
    }

    fn broken(check: &'static str, found: impl Into<String>, remedy: &'static str) -> Self {
        Self { check, found: found.into(), remedy: Some(remedy), note: false }
    }

    fn is_broken(&self) -> bool {
        self.remedy.is_some() && !self.note
    }

    fn json(&self) -> Value {
        let state = match (self.note, self.is_broken()) {
            (true, _) => "note",
            (false, true) => "broken",
            (false, false) => "ok",
        };
        json!({"state": state, "check": self.check, "found": self.found, "remedy": self.remedy})
    }
}

impl Doctor {
    /// Exit code 1 when something is wrong.
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let mut findings = programs(config);
        findings.extend(folder(config));
        findings.extend(database(config).await);
        findings.push(broker(config).await);
        findings.push(store(config));
        findings.extend(gateway::gateway(config).await);
        let broken = findings.iter().any(Finding::is_broken);
        let items: Vec<Value> = findings.iter().map(Finding::json).collect();
        // Remedies are sentences: a table would cut them off.
        let columns = if self.format.is_text() { &COLUMNS[..3] } else { &COLUMNS[..] };
        self.format.list(&json!({"healthy": !broken, "checks": items}), &items, columns, "checks")?;
        if self.format.is_text() {
            for Finding { check, remedy, .. } in findings.iter().filter(|finding| finding.remedy.is_some()) {
                out::line(&format!("{check}: {}", remedy.unwrap_or_default()))?;
            }
        }
        Ok(if broken { Outcome::Failed } else { Outcome::Done })
    }
}

/// The servers that `luci up` starts, unless others are named.
fn programs(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.database_url.is_none() {
        findings.push(match config.search.postgres(None) {
            Ok(folder) => Finding::ok("postgres program", folder.display().to_string()),
            Err(error) => Finding::broken(
                "postgres program",
                error.to_string(),
                "run `make setup`, or set LUCI_PG_BIN or LUCI_DATABASE_URL",
            ),
        });
    }
    if config.nats_url.is_none() {
        findings.push(match config.search.nats(&config.data_dir.join("servers")) {
            Ok(program) => Finding::ok("nats-server program", program.display().to_string()),
            Err(error) => Finding::broken(
                "nats-server program",
                error.to_string(),
                "run `make setup`, or set LUCI_NATS_SERVER or LUCI_NATS_URL",
            ),
        });
    }
    findings
}

/// Files of the data folder, if an instance was started in it.
fn folder(config: &Config) -> Vec<Finding> {
    let dir = &config.data_dir;
    if !dir.join("credentials.json").exists() {
        return vec![Finding::ok("data folder", format!("{}: no instance was started in it", dir.display()))];
    }
    let check = |check, name: &str, set: bool| {
        let path = dir.join(name);
        match mode(&path) {
            None if set => Finding::ok(check, "from the environment"),
            None => Finding::broken(
                check,
                format!("{} is missing", path.display()),
                "restore it from a backup; it cannot be made again",
            ),
            Some(mode) if mode & 0o077 != 0 => {
                Finding::broken(check, format!("{} is readable by others ({mode:o})", path.display()), "chmod 600 it")
            }
            Some(_) => Finding::ok(check, path.display().to_string()),
        }
    };
    vec![
        check("master key", "master.key", config.master_key.is_some()),
        check("seal key", "seal.key", config.seal_key.is_some()),
        check("credentials", "credentials.json", false),
    ]
}

fn mode(path: &Path) -> Option<u32> {
    Some(std::fs::metadata(path).ok()?.permissions().mode() & 0o777)
}

async fn database(config: &Config) -> Vec<Finding> {
    let remedy = "start it, or correct LUCI_DATABASE_URL; `luci up` starts a private one";
    let Ok(url) = database_url(config) else {
        return vec![Finding::broken("database", "none is named, and none was started in the data folder", remedy)];
    };
    let connected = tokio::time::timeout(TIMEOUT, migrate::connect_owner(&url)).await;
    let pool = match connected {
        Err(_) => return vec![Finding::broken("database", "does not answer within 5 s", remedy)],
        Ok(Err(error)) => return vec![Finding::broken("database", error.to_string(), remedy)],
        Ok(Ok(pool)) => pool,
    };
    let findings = match migrate::pending(&pool).await {
        Ok(pending) if pending.is_empty() => {
            vec![Finding::ok("database", "its tables are those of this version"), seals(&pool).await]
        }
        Ok(pending) => {
            let found = format!("{} migrations are not applied", pending.len());
            vec![Finding::broken("database", found, "run `luci migrate`")]
        }
        Err(error) => vec![Finding::broken("database", error.to_string(), remedy)],
    };
    pool.close().await;
    findings
}

/// Whether the log is sealed up to its last two minutes. `luci audit seals` verifies the seals.
async fn seals(pool: &PgPool) -> Finding {
    let found = async {
        let mut c = pool.acquire().await?;
        let sealed = last_seal(&mut c).await?.map_or(Position(0), |seal| seal.to_position);
        anyhow::Ok((sealed, not_sealed(&mut c, sealed, Micros::now()).await?))
    };
    let remedy = "run a clock that has LUCI_SEAL_KEY; `luci audit seals` says more";
    match found.await {
        Ok((sealed, None)) => Finding::ok("seals", format!("up to position {sealed}")),
        Ok((_, Some(fault))) => Finding::broken("seals", fault, remedy),
        Err(error) => Finding::broken("seals", error.to_string(), remedy),
    }
}

async fn broker(config: &Config) -> Finding {
    let instance = InstanceFile::read(&config.data_dir).ok().flatten();
    let url = config.nats_url.as_ref().map(|url| url.expose_secret().to_owned());
    let remedy = "start it, or correct LUCI_NATS_URL; runs wait meanwhile, and nothing is lost";
    let Some(url) = url.or_else(|| Some(instance?.nats_url)) else {
        return Finding::broken("broker", "none is named, and none was started in the data folder", remedy);
    };
    let connected = async {
        let client = luci_runs::broker::connect(&url, "luci doctor").await?;
        luci_runs::broker::connected_within(&client, TIMEOUT).await.map(|()| client)
    };
    match connected.await {
        Ok(client) => Finding::ok("broker", format!("nats-server {}", client.server_info().version)),
        Err(error) => Finding::broken("broker", error.to_string(), remedy),
    }
}

/// A folder's free space; the gateway answers for a bucket.
fn store(config: &Config) -> Finding {
    let instance = || InstanceFile::read(&config.data_dir).ok()??.store_address();
    let folder = match config.store.clone().or_else(instance) {
        Some(StoreAddress::Bucket(bucket)) => return Finding::ok("store", format!("bucket {}", bucket.bucket)),
        Some(StoreAddress::Folder(folder)) => folder,
        None => config.data_dir.join("objects"),
    };
    match rustix::fs::statvfs(&folder) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let found = format!("{}: {} free", folder.display(), indicatif::BinaryBytes(free));
            if free < 1 << 30 {
                return Finding::broken("store", found, "make room: uploads and results need it");
            }
            Finding::ok("store", found)
        }
        Err(_) if !config.data_dir.join("credentials.json").exists() => {
            Finding::ok("store", format!("{} is made at the first start", folder.display()))
        }
        Err(error) => Finding::broken(
            "store",
            format!("{}: {error}", folder.display()),
            "mount or restore it; LUCI never makes it again",
        ),
    }
}
