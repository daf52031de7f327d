//! How much longer a run takes when a process is killed (kill -9) in its middle: each role of a cluster that has two processes of
//! it, and `luci up` with its servers. A cluster's killed process stays away until the run has ended; `luci up` is started again
//! at once.

mod caller;
mod cluster;

use std::time::{Duration, Instant};

use caller::Caller;
use cluster::Cluster;

use crate::{
    report::{Better, Bound, Report, Sample, median},
    servers::Servers,
    steal,
    up::{Up, Victim},
};

/// From the run's start to the kill.
const UNTIL_KILL: Duration = Duration::from_millis(150);
/// Seconds.
const FLOOR: f64 = 20.0;
const GOAL: f64 = 5.0;

/// The roles whose death a run notices, each with the follower whose lease the busy one of its two processes holds.
const ROLES: [(&str, Option<&str>); 4] =
    [("engine", None), ("relay", Some("relay")), ("clock", Some("clock")), ("projections", Some("projector"))];

pub async fn bench(servers: &Servers, report: &mut Report) -> anyhow::Result<()> {
    let cluster = Cluster::start(servers).await?;
    for (role, follower) in ROLES {
        let samples = steal::rounds(|| in_cluster(&cluster, role, follower)).await?;
        add(report, &format!("kill -9 of one of two processes ({role}): a run takes longer by"), &samples);
    }
    drop(cluster);
    let up = Up::start(servers.dir().join("recovery"), Vec::new()).await?;
    for victim in [Victim::Luci, Victim::Postgres, Victim::Nats] {
        let samples = steal::rounds(|| of_up(&up, victim)).await?;
        add(report, &format!("kill -9 of {} under luci up: a run takes longer by", victim.name()), &samples);
    }
    Ok(())
}

/// Seconds of a run alone, and of one during which a process is killed.
async fn in_cluster(cluster: &Cluster, role: &str, follower: Option<&str>) -> anyhow::Result<[f64; 2]> {
    let alone = cluster.caller.run().await?;
    let began = Instant::now();
    let run = cluster.caller.begin().await?;
    tokio::time::sleep(UNTIL_KILL).await;
    let victim = cluster.busy(role, follower).await?;
    victim.kill()?;
    cluster.caller.ended(&run).await?;
    let took = began.elapsed();
    victim.start()?;
    cluster.settled(role).await?;
    Ok([alone.as_secs_f64(), took.as_secs_f64()])
}

async fn of_up(up: &Up, victim: Victim) -> anyhow::Result<[f64; 2]> {
    let caller = Caller::new(up.first()?)?;
    let alone = caller.run().await?;
    let began = Instant::now();
    let run = caller.begin().await?;
    tokio::time::sleep(UNTIL_KILL).await;
    up.kill(victim)?;
    caller.ended(&run).await?;
    Ok([alone.as_secs_f64(), began.elapsed().as_secs_f64()])
}

fn add(report: &mut Report, name: &str, [alone, killed]: &[Sample; 2]) {
    let rounds: Vec<f64> =
        killed.rounds.iter().zip(&alone.rounds).map(|(killed, alone)| (killed - alone).max(0.0)).collect();
    let longer = Sample { value: median(rounds.clone()), rounds, ..killed.clone() };
    report.add(name, "s", &longer, None, Bound::Value(Better::Less, FLOOR, GOAL));
}
