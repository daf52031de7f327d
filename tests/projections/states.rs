//! The state at version n is the fold of the first n events: for every n of a thousand random runs, in both folds; and what the
//! tables hold at each version is that state.

use luci_projections::runs::{self, PastRun};
use luci_runs::core::{Run, RunCommand, RunStatus, evolve};
use luci_schema::{CommandId, FailureCode, TenantId, Version, log::Append};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{
    fixture::fixture,
    history::{History, Outcome, copy, queued},
};

const RUNS: u64 = 1_000;

/// A run with random blocks and outcomes, which callers pause, cancel, retry and delete at random moments. After each step
/// `seen` gets the run as the engine has it then.
fn random_run(random: &mut StdRng, mut seen: impl FnMut(&History)) -> History {
    let name = format!("random {}", random.random::<u16>());
    let mut history =
        History::queued(TenantId::generate(), queued(&name, random.random_range(1..60), random.random_range(4..20)));
    seen(&history);
    for step in 0..random.random_range(5..60) {
        match random.random_range(0..100) {
            0..10 => drop(history.attempt(&RunCommand::Pause)),
            10..25 => drop(history.attempt(&RunCommand::Resume)),
            25..32 => drop(history.attempt(&RunCommand::RetryRun)),
            32..34 => drop(history.attempt(&RunCommand::Cancel)),
            34 if step > 20 => drop(history.attempt(&RunCommand::Delete)),
            35..50 => drop(history.attempt(&RunCommand::Start)),
            _ => history.try_work(outcome(random)),
        }
        seen(&history);
    }
    history
}

fn outcome(random: &mut StdRng) -> Outcome {
    match random.random_range(0..10) {
        0 => Outcome::Failed(*FailureCode::ALL.choose(random).expect("codes")),
        1..4 => {
            let mut some = || random.random_range(0..3);
            Outcome::Mixed { no_match: some(), failed: some(), skipped: some() }
        }
        _ => Outcome::Done { failed: 0 },
    }
}

/// What both folds know of a run.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    version: u64,
    status: String,
    deleted: bool,
    processed_leads: u64,
    progress: u64,
    cost_micros: u64,
    /// Of a failed run.
    error: Option<String>,
}

fn known_to_engine(run: &Run) -> Known {
    let totals = run.totals();
    Known {
        version: run.version().0,
        status: format!("{:?}", run.status()),
        deleted: run.deleted(),
        processed_leads: totals.processed_leads,
        progress: totals.progress.into(),
        cost_micros: totals.cost_micros,
        error: run.error().filter(|_| run.status() == RunStatus::Failed).map(|error| error.message.clone()),
    }
}

fn known_to_projections(detail: &runs::RunDetail) -> Known {
    let run = &detail.run;
    let failed = run.status == luci_projections::RunStatus::Failed;
    Known {
        version: run.version.unsigned_abs(),
        status: format!("{:?}", run.status),
        deleted: run.deleted_at.is_some(),
        processed_leads: run.processed_leads,
        progress: run.progress.unsigned_abs().into(),
        cost_micros: run.cost_micros,
        error: run.error.as_ref().filter(|_| failed).map(|error| error.message.clone()),
    }
}

#[test]
fn the_state_at_every_version_of_a_thousand_random_runs_is_the_fold_of_its_events() {
    let mut random = StdRng::seed_from_u64(34);
    let (mut versions, mut ended) = (0, 0);
    for _ in 0..RUNS {
        let mut states: Vec<Run> = Vec::new();
        let history = random_run(&mut random, |history| states.push(history.run.clone()));
        let events = history.recorded(0);
        let (mut folded, mut stored) = (Run::default(), PastRun::default());
        for n in 1..=events.len() {
            evolve(&mut folded, &events[n - 1].event).expect("folds");
            for state in states.iter().filter(|state| state.version() == Version(n as u64)) {
                assert_eq!(&folded, state, "the engine's run after {n} events");
            }
            let past = runs::as_of(&events[..n]).expect("folded").expect("there are events");
            stored.apply(&events[n - 1]).expect("folds");
            stored = serde_json::from_slice(&serde_json::to_vec(&stored).expect("written")).expect("read");
            assert_eq!(known_to_projections(&past), known_to_engine(&folded), "after {n} events");
        }
        assert_eq!(folded.version(), history.run.version());
        assert_eq!(stored.detail(), runs::as_of(&events).expect("folded"), "a state that was stored after each event");
        versions += events.len();
        ended += usize::from(history.run.status().ended());
    }
    assert!(versions > 15_000 && (100..1_000).contains(&ended), "{versions} versions, {ended} ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_hold_at_every_version_what_the_first_events_give() {
    let fixture = fixture().await;
    let mut running = fixture.project("live");
    let mut random = StdRng::seed_from_u64(35);
    for _ in 0..6 {
        let mut history = random_run(&mut random, |_| {});
        let (tenant, id) = (history.tenant, history.id);
        let all = history.append();
        for (event, at) in all.events.iter().zip(1..) {
            let command = CommandId::derive(&[&id.to_string(), "each", &at.to_string()]);
            let append = Append { events: vec![event.clone()], expected: Version(at - 1), command, ..copy(&all) };
            running.reach(fixture.log.append(append).await.expect("appended").position()).await;
            let mut tx = fixture.reading(tenant).await;
            let mut now = runs::get(&mut tx, tenant, id).await.expect("queried").expect("found");
            let events = fixture.log.read_stream(tenant, id.into(), Version(0), 1_000).await.expect("read");
            let mut past = runs::as_of(&events).expect("folded").expect("there are events");
            for block in now.blocks.iter_mut().chain(&mut past.blocks) {
                // Of a running one: until the read.
                (block.duration_ms, block.duration) = (None, None);
            }
            assert_eq!(known_to_projections(&now), known_to_projections(&past), "version {at}");
            assert_eq!((&now.blocks, &now.artifacts), (&past.blocks, &past.artifacts), "version {at}");
        }
    }
    fixture.assert_no_drift().await;
    running.stop().await.expect("an orderly end");
}
