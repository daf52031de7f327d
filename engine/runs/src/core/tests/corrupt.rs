//! Events that cannot follow the state are refused, in release builds too, with version, position and reason.

use luci_schema::{
    BlockId, Event, Position, Recorded, RunId, Stage, TenantId, Version,
    event::{BlockEvent, BlockRetried, BlockSkipped, BlockStarted, RunDeleted, RunEvent, RunPaused, RunResumed},
    log::LogError,
    sample,
};

use crate::core::{
    CorruptStream, Run, RunStatus, StreamFault, evolve,
    tests::{
        fixture::{GOOD, queued},
        scenario::Scenario,
    },
};

/// A started run with its first IMPORT block queued.
fn started() -> Scenario {
    Scenario::started(10, 5, 2)
}

fn fault(run: &Run, event: impl Into<Event>) -> StreamFault {
    evolve(&mut run.clone(), &event.into()).expect_err("the event is impossible").fault
}

fn recorded(event: &Event, version: u64) -> Recorded {
    let (tenant, run) = (TenantId::generate(), RunId::generate());
    let recorded = sample::recorded(tenant, run, event.clone());
    Recorded { version: Version(version), position: Position(1_000 + version), ..recorded }
}

fn load(events: &[Recorded]) -> Result<Run, CorruptStream> {
    let mut run = Run::default();
    events.iter().try_for_each(|recorded| run.apply(recorded))?;
    Ok(run)
}

#[test]
fn a_corrupt_stream_is_refused_with_its_position() {
    let scenario = started();
    let mut stream: Vec<Recorded> = (1..).zip(&scenario.events).map(|(at, event)| recorded(event, at)).collect();
    assert_eq!(load(&stream).unwrap().version(), Version(3));
    stream.push(recorded(&RunEvent::Resumed(RunResumed::default()).into(), 4));
    let corrupt = load(&stream).unwrap_err();
    assert_eq!((corrupt.version, corrupt.position), (Version(4), Position(1_004)));
    let fault = StreamFault::Transition { from: RunStatus::Running, to: RunStatus::Running };
    assert_eq!(corrupt.fault, fault);
    let text = "corrupt stream: run:resumed at version 4, position 1004: a run cannot go from running to running";
    assert_eq!(corrupt.to_string(), text);
    let error = LogError::from(corrupt);
    assert!(error.is_damage() && error.to_string().contains(text), "{error}");
}

#[test]
fn a_missing_version_is_refused() {
    let scenario = started();
    let mut stream: Vec<Recorded> = (1..).zip(&scenario.events).map(|(at, event)| recorded(event, at)).collect();
    stream.remove(1);
    let corrupt = load(&stream).unwrap_err();
    assert_eq!(corrupt.fault, StreamFault::VersionGap { expected: Version(2) });
    assert_eq!((corrupt.version, corrupt.position), (Version(3), Position(1_003)));
}

#[test]
fn events_before_the_first_and_after_the_last_are_refused() {
    let paused = || RunEvent::Paused(RunPaused::default());
    assert_eq!(fault(&Run::default(), paused()), StreamFault::NotQueued);
    let again = RunEvent::Queued(Box::new(queued(&Stage::ALL, 10, 5, 2)));
    assert_eq!(fault(&started().run, again), StreamFault::QueuedTwice);
    let deleted = RunEvent::Deleted(RunDeleted {});
    assert_eq!(fault(&started().run, deleted.clone()), StreamFault::Status { status: RunStatus::Running });
    let mut scenario = started();
    scenario.settle(GOOD);
    evolve(&mut scenario.run, &deleted.into()).unwrap();
    assert_eq!(fault(&scenario.run, paused()), StreamFault::Deleted);
}

#[test]
fn events_of_unknown_blocks_are_refused() {
    let run = started().run;
    let (block_id, stage, block_number) = (BlockId::generate(), Stage::Enrich, 1);
    let totals = run.totals();
    for event in [
        BlockEvent::Started(BlockStarted { block_id, stage, block_number, attempt: 1, provider: "internal".into() }),
        BlockEvent::Retried(BlockRetried { block_id, stage, block_number, retry_count: 1 }),
        BlockEvent::Skipped(BlockSkipped { block_id, stage, block_number, totals }),
    ] {
        assert_eq!(fault(&run, event), StreamFault::UnknownBlock { block: block_id });
    }
}

#[test]
fn a_block_that_ended_cannot_end_again() {
    let mut scenario = started();
    let block = scenario.in_flight()[0];
    let events = scenario.complete(block, GOOD).unwrap();
    assert_eq!(fault(&scenario.run, events[0].clone()), StreamFault::UnknownBlock { block });
}

#[test]
fn an_attempt_must_follow_the_newest() {
    let mut scenario = started();
    let block = scenario.in_flight()[0];
    let events = scenario.begin(block).unwrap();
    assert_eq!(fault(&scenario.run, events[0].clone()), StreamFault::Attempt { block, newest: 1, found: 1 });
}

#[test]
fn a_block_needs_a_stage_and_an_input_of_the_run() {
    let mut scenario = started();
    let (mut block, _) = scenario.delivery(scenario.in_flight()[0]);
    block.block_id = BlockId::generate();
    let queued = |block: &luci_schema::event::BlockQueued| BlockEvent::Queued(Box::new(block.clone()));
    assert_eq!(fault(&scenario.run, queued(&block)), StreamFault::InputNotReady { block: block.block_id });
    let short = Scenario::new(super::fixture::queued(&[Stage::Import], 10, 5, 2));
    scenario = short;
    scenario.issue(crate::core::RunCommand::Start).unwrap();
    block.stage = Stage::Push;
    assert_eq!(fault(&scenario.run, queued(&block)), StreamFault::UnknownStage { stage: Stage::Push });
}
