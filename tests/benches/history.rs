//! The speed of verifying exported histories from their text, on one core.

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use luci_runs::issue::Issuer;
use luci_schema::{
    Micros, Position, TenantId, Version,
    history::{EventText, FORMAT, Proof, Title},
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
    let files = files(&log).await?;
    let events: usize = files.iter().map(|file| file.len() - 1).sum();
    let [rate] = steal::rounds(|| async {
        let start = Instant::now();
        for file in &files {
            let mut proof = Proof::begin(&file[0])?;
            file[1..].iter().try_for_each(|line| proof.follow(line))?;
            black_box(proof.end()?);
        }
        Ok([events as f64 / start.elapsed().as_secs_f64()])
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

/// Each stream of the log as the lines of its export.
async fn files(log: &Log) -> anyhow::Result<Vec<Vec<String>>> {
    let mut streams: BTreeMap<String, (Vec<String>, Option<Title>)> = BTreeMap::new();
    let mut at = Position(0);
    while at < log.head() {
        for event in log.read(at, 1_000).await? {
            at = event.position;
            let stream = streams.entry(event.stream_id.to_string());
            let (lines, title) = stream.or_insert_with(|| (vec![String::new()], None));
            lines.push(serde_json::to_string(&EventText::try_from(event.as_ref())?)?);
            *title = Some(Title {
                format: FORMAT.into(),
                stream_id: event.stream_id,
                tenant_id: event.tenant_id,
                events: Version(lines.len() as u64 - 1),
                head_hash: event.hash,
                exported_at: Micros::now().rfc3339(),
                sealed: None,
            });
        }
    }
    let whole = streams.into_values().map(|(mut lines, title)| {
        lines[0] = serde_json::to_string(&title)?;
        Ok(lines)
    });
    whole.collect()
}
