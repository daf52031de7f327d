//! The one decision function: a run and a command in, the events that follow out.

use luci_schema::Event;
use ulid::Ulid;

use crate::core::{Context, CorruptStream, Refusal, Run, RunCommand, deliver, evolve, lifecycle, repair};

/// Why a command makes no events; nothing may be appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The decision's own events contradict the run: a defect of this crate.
    #[error(transparent)]
    Corrupt(#[from] CorruptStream),
}

/// The events that follow from `command`, in order; empty when the command is already in effect.
///
/// Deterministic: the same run, command and context give the same events, ids included. The blocks that a completion
/// releases, and the end of the run, are decided together with it, so nothing has to be scheduled afterwards.
///
/// # Errors
/// See `DecideError`.
pub fn decide(run: &Run, command: &RunCommand, context: &Context) -> Result<Vec<Event>, DecideError> {
    if !run.exists() && !matches!(command, RunCommand::Queue(_)) {
        return Err(Refusal::Missing.into());
    }
    if run.deleted {
        return Err(Refusal::Deleted.into());
    }
    let mut decision = Decision { run: run.clone(), events: Vec::new(), context, derived: 0 };
    dispatch(&mut decision, command)?;
    Ok(decision.events)
}

fn dispatch(decision: &mut Decision, command: &RunCommand) -> Result<(), DecideError> {
    match command {
        RunCommand::Queue(queued) => lifecycle::queue(decision, queued),
        RunCommand::Start => lifecycle::start(decision),
        RunCommand::Pause => lifecycle::pause(decision),
        RunCommand::Resume => lifecycle::resume(decision, None),
        RunCommand::ResumeWith { budget_micros } => lifecycle::resume(decision, Some(*budget_micros)),
        RunCommand::Cancel => lifecycle::cancel(decision),
        RunCommand::Delete => lifecycle::delete(decision),
        RunCommand::RetryRun => repair::retry_run(decision),
        RunCommand::RetryBlock(block) => repair::retry_block(decision, *block),
        RunCommand::SkipBlock(block) => repair::skip_block(decision, *block),
        RunCommand::StartBlock { block, queued, after, provider } => {
            deliver::start(decision, *block, *queued, *after, provider)
        }
        RunCommand::CompleteBlock(completion) => deliver::complete(decision, completion),
        RunCommand::FailBlock(completion, failure) => deliver::fail(decision, completion, failure),
    }
}

/// A decision in progress: the events so far, and the run with them folded in.
pub(super) struct Decision<'a> {
    pub run: Run,
    pub context: &'a Context,
    events: Vec<Event>,
    /// Ids derived so far.
    derived: u64,
}

impl Decision<'_> {
    pub fn emit(&mut self, event: impl Into<Event>) -> Result<(), CorruptStream> {
        let event = event.into();
        evolve(&mut self.run, &event)?;
        self.events.push(event);
        Ok(())
    }

    /// A fresh ULID, derived from the context's seed.
    pub fn fresh(&mut self) -> Ulid {
        self.derived += 1;
        self.context.derive(self.derived)
    }

    pub fn illegal(&self, command: &'static str) -> DecideError {
        Refusal::Illegal { status: self.run.status, command }.into()
    }
}
