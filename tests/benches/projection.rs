//! The lag of the read models behind the log, and the speed of a rebuild.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use luci_projections::{Projector, rebuild};
use luci_runs::issue::Issuer;
use luci_schema::{
    Position, TenantId,
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    load::percentile,
    report::{Better, Bound, Report, Sample},
    runs,
    servers::Servers,
    steal,
};

const EVENTS_PER_SECOND: f64 = 5_000.0;
const SECONDS: u64 = 10;

pub async fn bench(servers: &Servers, report: &mut Report) -> anyhow::Result<()> {
    let url = servers.database().await?;
    let log = Log::open(migrate::connect(&url, DatabaseRole::Engine, 16).await?, LogOptions::default()).await?;
    let pool = migrate::connect(&url, DatabaseRole::Projector, 8).await?;
    let projector = Projector::new(log.clone(), pool.clone(), luci_projections::all(), "bench");
    let (stop, position) = (CancellationToken::new(), projector.position());
    let task = tokio::spawn(projector.run(stop.clone()));
    let [p50, p99, rate] = steal::rounds(|| lag(&log, position.clone())).await?;
    report.add("events/s appended while the lag was taken", "events/s", &rate, None, Bound::None);
    report.add("projection lag at 5k events/s, p50", "ms", &p50, None, Bound::None);
    report.add("projection lag at 5k events/s, p99", "ms", &p99, None, Bound::Value(Better::Less, 200.0, 50.0));

    let events = log.head().0 as f64;
    let [rate] = steal::rounds(|| async {
        let start = Instant::now();
        rebuild::rebuild(&log, &pool, luci_projections::all(), rebuild::OnDifference::Refuse, &|_| {}).await?;
        Ok([events / start.elapsed().as_secs_f64()])
    })
    .await?;
    let rate = Sample { note: format!("{events} events"), ..rate };
    report.add("projection rebuild", "events/s", &rate, None, Bound::Value(Better::More, 30_000.0, 100_000.0));
    stop.cancel();
    task.await??;
    Ok(())
}

/// Positions whose commit was answered, and when.
type Committed = Arc<Mutex<VecDeque<(Position, Instant)>>>;

/// Real runs, started at an even pace; the time from each commit's answer until its position is served.
async fn lag(log: &Log, position: watch::Receiver<Position>) -> anyhow::Result<[f64; 3]> {
    let committed = Committed::default();
    let watching = tokio::spawn(watch_positions(position, committed.clone()));
    let (issuer, tenant) = (Issuer::new(log.clone()), TenantId::generate());
    let (first, start) = (log.head(), Instant::now());
    let mut pace = tokio::time::interval(Duration::from_secs_f64(runs::EVENTS_PER_RUN / EVENTS_PER_SECOND));
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    while start.elapsed() < Duration::from_secs(SECONDS) {
        pace.tick().await;
        let (issuer, committed) = (issuer.clone(), committed.clone());
        under_way.spawn(async move {
            let each = |at| lock(&committed).push_back((at, Instant::now()));
            runs::append_run(&issuer, tenant, each).await
        });
        while let Some(done) = under_way.try_join_next() {
            done??;
        }
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    let rate = (log.head().0 - first.0) as f64 / start.elapsed().as_secs_f64();
    lock(&committed).push_back((Position(u64::MAX), Instant::now()));
    let mut lags = watching.await?;
    lags.sort_unstable();
    Ok([percentile(&lags, 50), percentile(&lags, 99), rate])
}

/// Until only the end mark waits.
async fn watch_positions(mut position: watch::Receiver<Position>, committed: Committed) -> Vec<Duration> {
    let mut lags = Vec::new();
    loop {
        let served = *position.borrow_and_update();
        if drain(&committed, served, &mut lags) {
            return lags;
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), position.changed()).await;
    }
}

/// Removes the positions served by now; whether only the end mark is left. Appends of several runs are answered almost
/// in order; the others wait for the next check.
fn drain(committed: &Committed, served: Position, lags: &mut Vec<Duration>) -> bool {
    let mut waiting = lock(committed);
    while let Some((_, since)) = waiting.front().filter(|(at, _)| *at <= served) {
        lags.push(since.elapsed());
        waiting.pop_front();
    }
    waiting.front().is_some_and(|(at, _)| at.0 == u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
