//! `make bench`: every figure of the design in one report, each with the raw operation that bounds it.
//!
//! Names given as arguments choose parts: `make bench ARGS="append runs"`.

mod append;
mod fairness;
mod history;
mod import;
mod load;
mod noop;
mod projection;
mod raw;
mod recovery;
mod relay;
mod report;
mod runs;
mod servers;
mod soak;
mod steal;
mod up;
mod verified_reads;

use std::{env, path::Path, thread};

use report::Report;
use servers::Servers;

fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    // Cargo passes `--bench`; the other arguments are the user's choice.
    let chosen: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    // The servers end with this thread; the runtime's threads are not permanent.
    let servers = Servers::start(&luci::config::search())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = Report::default();
    println!("{}", report::HEADER);
    let outcome = runtime.block_on(run(&servers, &chosen, &mut report));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    report.write(&folder, &conditions())?;
    println!("\n{} figures below their floor; report in {}", report.missed(), folder.join("report.md").display());
    outcome
}

async fn run(servers: &Servers, chosen: &[String], report: &mut Report) -> anyhow::Result<()> {
    let selected = |part: &str| chosen.is_empty() || chosen.iter().any(|name| name == part);
    if selected("append") {
        append::bench(servers, report).await?;
    }
    if selected("relay") {
        relay::bench(servers, report).await?;
    }
    if selected("runs") {
        runs::bench(servers, report).await?;
    }
    if selected("projection") {
        projection::bench(servers, report).await?;
    }
    if selected("history") {
        history::bench(servers, report).await?;
    }
    if selected("recovery") {
        recovery::bench(servers, report).await?;
    }
    if selected("fairness") {
        fairness::bench(servers.dir(), report).await?;
    }
    if selected("import") {
        import::bench(servers.dir(), report).await?;
    }
    // Half an hour: only when it is asked for.
    if chosen.iter().any(|name| name == "soak") {
        soak::bench(servers.dir(), report).await?;
    }
    Ok(())
}

fn conditions() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    format!(
        "{cores} cores ({}), everything on one machine: Postgres with fsync on, nats-server, the engine and the load. \
         Medians of the rounds that lost less than 5 % of CPU time to the host; raw operations interleaved with ours, a ratio \
         is the median of the rounds' own.",
        model.trim_start_matches([' ', '\t', ':'])
    )
}
