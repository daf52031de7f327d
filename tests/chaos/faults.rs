//! The schedule: one task for each process and one for the servers, each with random numbers of its own from the seed.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::{sync::Mutex, time::Instant};

use super::{
    cluster::{Cluster, PostgresEnd},
    member::Member,
};

/// Between two looks whether a process ended by itself.
const POLL: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Kill,
    Terminate,
    /// SIGSTOP, and SIGCONT before the broker delivers the blocks again.
    ShortPause,
    /// SIGSTOP for longer than `ack_wait` and the leases.
    LongPause,
    PostgresRestart,
    PostgresKill,
    NatsKill,
    NatsWipe,
}

impl Fault {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill -9 of a process",
            Self::Terminate => "SIGTERM",
            Self::ShortPause => "SIGSTOP up to 4 s",
            Self::LongPause => "SIGSTOP 9 to 14 s",
            Self::PostgresRestart => "Postgres restart",
            Self::PostgresKill => "Postgres kill -9",
            Self::NatsKill => "NATS kill -9",
            Self::NatsWipe => "NATS wiped",
        }
    }
}

/// What was done, and how the processes took it.
#[derive(Debug, Default)]
pub struct Tally {
    pub faults: BTreeMap<Fault, u32>,
    /// Processes that ended by themselves and were started again, as a supervisor does: with the servers away, a start fails.
    pub ended_by_themselves: u32,
    pub longest_drain: Duration,
    /// Processes that SIGTERM did not end, or not with exit code 0.
    pub bad_ends: Vec<String>,
}

/// Until `until`; afterwards everything runs.
pub async fn inject(cluster: &Cluster, seed: u64, until: Instant) -> Tally {
    let tally = Mutex::new(Tally::default());
    let random = |n: usize| StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(n as u64));
    let members = cluster.members.iter().enumerate().map(|(n, member)| of_member(member, random(n), until, &tally));
    tokio::join!(join_all(members), of_servers(cluster, random(999), until, &tally));
    tally.into_inner()
}

async fn of_member(member: &Member, mut random: StdRng, until: Instant, tally: &Mutex<Tally>) {
    loop {
        let next = Instant::now() + millis(&mut random, 3_000, 25_000);
        supervise(member, next.min(until), tally).await;
        if next >= until {
            return;
        }
        let fault = match random.random_range(0..100) {
            0..50 => Fault::Kill,
            50..74 => Fault::Terminate,
            74..84 => Fault::ShortPause,
            _ => Fault::LongPause,
        };
        *tally.lock().await.faults.entry(fault).or_default() += 1;
        let pause = match fault {
            Fault::LongPause => millis(&mut random, 9_000, 14_000),
            Fault::ShortPause => millis(&mut random, 200, 4_000),
            _ => millis(&mut random, 0, 1_500),
        };
        meet(member, fault, pause, tally).await;
    }
}

async fn meet(member: &Member, fault: Fault, pause: Duration, tally: &Mutex<Tally>) {
    match fault {
        Fault::Kill => member.kill().await,
        Fault::Terminate => {
            let drained = member.terminate().await;
            let mut tally = tally.lock().await;
            match drained {
                Some(drain) => tally.longest_drain = tally.longest_drain.max(drain),
                None => tally.bad_ends.push(format!("{} did not end after SIGTERM", member.name)),
            }
        }
        _ => {
            member.signal("-STOP").await;
            tokio::time::sleep(pause).await;
            return member.signal("-CONT").await;
        }
    }
    tokio::time::sleep(pause).await;
    member.start().await;
}

/// Starts the process again when it ends by itself.
pub async fn supervise(member: &Member, until: Instant, tally: &Mutex<Tally>) {
    while Instant::now() < until {
        if member.ended().await.is_some() {
            tally.lock().await.ended_by_themselves += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
            member.start().await;
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn of_servers(cluster: &Cluster, mut random: StdRng, until: Instant, tally: &Mutex<Tally>) {
    let mut kinds = [Fault::PostgresRestart, Fault::PostgresKill, Fault::NatsKill, Fault::NatsWipe];
    // Four in a short schedule, one in about 25 seconds of a long one.
    let whole = until.saturating_duration_since(Instant::now());
    let most = (whole / 5).min(Duration::from_secs(25));
    loop {
        kinds.shuffle(&mut random);
        for fault in kinds {
            let next = Instant::now() + most.mul_f64(random.random_range(0.6..1.0));
            if next >= until {
                return tokio::time::sleep_until(until).await;
            }
            tokio::time::sleep_until(next).await;
            *tally.lock().await.faults.entry(fault).or_default() += 1;
            let pause = millis(&mut random, 0, 2_500);
            match fault {
                Fault::PostgresRestart => cluster.restart_postgres(PostgresEnd::Fast, pause).await,
                Fault::PostgresKill => cluster.restart_postgres(PostgresEnd::Killed, pause).await,
                _ => {
                    let mut nats = cluster.nats.lock().await;
                    if fault == Fault::NatsWipe {
                        nats.wipe().await
                    } else {
                        nats.kill().await
                    }
                    tokio::time::sleep(pause).await;
                    nats.restart().await;
                }
            }
        }
    }
}

fn millis(random: &mut StdRng, least: u64, most: u64) -> Duration {
    Duration::from_millis(random.random_range(least..=most))
}
