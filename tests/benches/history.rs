//! The speed of verifying a bundle from its text, on one core, beside SHA-256 alone over the same lines.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use luci_runs::issue::Issuer;
use luci_schema::{
    Position, TenantId,
    history::{BundleReader, Scope, verify_by},
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use sha2::{Digest, Sha256};

use crate::{
    report::{Better, Bound, Report},
    runs,
    servers::Servers,
    steal,
};

/// Runs whose histories are checked.
const RUNS: usize = 2_000;

pub async fn bench(servers: &Servers, report: &mut Report) -> anyhow::Result<()> {
    let url = servers.database().await?;
    let log = Log::open(migrate::connect(&url, DatabaseRole::Engine, 16).await?, LogOptions::default()).await?;
    let (issuer, tenant) = (Issuer::new(log.clone()), TenantId::generate());
    let appended = stream::iter(0..RUNS).map(|_| runs::append_run(&issuer, tenant, |_| {}));
    appended.buffer_unordered(64).try_collect::<()>().await?;
    let scope = Scope::Range { from: Position(1), to: log.newest().await? };
    let mut bundle = String::new();
    let mut reader = BundleReader::open(log, scope).await?;
    while let Some(lines) = reader.next().await? {
        bundle.push_str(&lines);
    }
    let [rate, raw] = steal::rounds(|| async {
        let start = Instant::now();
        let verdict = black_box(verify_by(bundle.as_bytes(), 1)?);
        ensure!(verdict.is_intact(), "{verdict:?}");
        let rate = verdict.checked as f64 / start.elapsed().as_secs_f64();
        Ok([rate, verdict.checked as f64 / hashed(&bundle).as_secs_f64()])
    })
    .await?;
    report.add("raw SHA-256 of each line, one core", "events/s", &raw, None, Bound::None);
    report.add(
        "verify a history offline, one core",
        "events/s",
        &rate,
        Some(&raw),
        Bound::Value(Better::More, 200_000.0, 1_000_000.0),
    );
    Ok(())
}

/// What the chain's formula needs at least: each byte hashed once. It hashes three parts of an event and their digests.
fn hashed(bundle: &str) -> Duration {
    let start = Instant::now();
    for line in bundle.lines() {
        black_box(Sha256::digest(line));
    }
    start.elapsed()
}
