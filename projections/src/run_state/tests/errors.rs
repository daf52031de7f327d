//! Corrupt streams: each is an error that names the position, and none is folded in silence.

use super::*;

/// The error of the last event, after all others were folded.
fn error_of_last(stream: &Stream) -> FoldError {
    let (last, before) = stream.events.split_last().expect("events");
    let mut state = RunState::default();
    for event in before {
        state.apply(event).expect("folds");
    }
    state.apply(last).expect_err("cannot be folded")
}

#[test]
fn an_event_out_of_order_is_an_error_with_its_position() {
    let stream = Stream::new(&[Stage::Import]);
    let mut state = RunState::default();
    assert!(matches!(state.apply(&stream.events[1]), Err(FoldError::NoRun { at: Position(2), .. })));

    let mut stream = Stream::new(&[Stage::Import]);
    stream.completed(counts(1, 0), counts(1, 0));
    assert!(matches!(error_of_last(&stream), FoldError::NoBlock { at: Position(3), .. }));
    stream.events.remove(1);
    assert!(matches!(error_of_last(&stream), FoldError::Version { at: Position(3), found: 3, before: 1, .. }));

    let mut stream = Stream::new(&[Stage::Import]);
    let first = stream.events[0].event.clone();
    stream.push(first);
    assert!(matches!(error_of_last(&stream), FoldError::NotFirst { at: Position(3), found: 3, .. }));
}

#[test]
fn an_event_of_another_stage_type_or_stream_is_an_error_with_its_position() {
    let mut stream = Stream::new(&[Stage::Validate]);
    stream.queued(None);
    assert!(matches!(error_of_last(&stream), FoldError::NoStage { at: Position(3), .. }));

    let mut stream = Stream::new(&[Stage::Import]);
    stream.push(Event::Unknown("run:invented".into()));
    assert!(matches!(error_of_last(&stream), FoldError::Unknown { at: Position(3), .. }));

    let mut stream = Stream::new(&[Stage::Import]);
    stream.push(ConfigEvent::TenantUpdated(TenantUpdated { active_runs: 1 }));
    assert!(matches!(error_of_last(&stream), FoldError::Stream { at: Position(3), .. }));
    let mut event = Recorded::clone(&stream.events[2]);
    event.stream_id = stream.tenant.into();
    assert!(RunState::default().apply(&event).expect("configuration is not of a run").is_none());
    let mut event = Recorded::clone(&stream.events[1]);
    event.stream_id = stream.tenant.into();
    assert!(matches!(RunState::default().apply(&event), Err(FoldError::Stream { at: Position(2), .. })));
}

#[test]
fn a_sum_below_zero_is_an_error_with_its_position() {
    let mut stream = Stream::new(&[Stage::Import]);
    stream.queued(None);
    stream.failed(counts(0, 10));
    let mut state = stream.fold();
    state.runs.get_mut(&stream.run).expect("a run").stages[0].counts.failed = 9;
    stream.retried();
    let error = state.apply(stream.events.last().expect("an event")).expect_err("9 - 10");
    assert!(matches!(error, FoldError::Negative { at: Position(5), .. }), "{error}");
}
