//! The speed of verifying a bundle from its text, on one core.

use std::{hint::black_box, time::Instant};

use anyhow::ensure;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use luci_runs::issue::Issuer;
use luci_schema::{
    Position, TenantId,
    history::{BundleReader, Scope, verify_by},
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};

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
    let [rate] = steal::rounds(|| async {
        let start = Instant::now();
        let verdict = black_box(verify_by(bundle.as_bytes(), 1)?);
        ensure!(verdict.is_intact(), "{verdict:?}");
        Ok([verdict.checked as f64 / start.elapsed().as_secs_f64()])
    })
    .await?;
    report.add(
        "verify a history offline, one core",
        "events/s",
        &rate,
        None,
        Bound::Value(Better::More, 200_000.0, 1_000_000.0),
    );
    Ok(())
}
