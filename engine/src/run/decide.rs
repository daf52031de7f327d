//! The one decision: what follows from a command, given all that happened.

use luci_schema::Event;
use ulid::Ulid;

use super::{Context, Refusal, Run, RunCommand, deliver, evolve, lifecycle, repair};

/// The events that `command` makes happen, in order; empty when it is in effect already.
///
/// The same run, command and context give the same events, ids included. What a completion releases, and the end of the
/// run, are decided with it: there is nothing to schedule afterwards.
///
/// # Errors
/// A `Refusal`; nothing may be appended then.
pub fn decide(run: &Run, command: &RunCommand, context: &Context) -> Result<Vec<Event>, Refusal> {
    if !run.exists() && !matches!(command, RunCommand::Queue(_)) {
        return Err(Refusal::Missing);
    }
    if run.deleted {
        return Err(Refusal::Deleted);
    }
    let mut draft = Draft { run: run.clone(), events: Vec::new(), context, made: 0 };
    follow(&mut draft, command)?;
    Ok(draft.events)
}

fn follow(draft: &mut Draft, command: &RunCommand) -> Result<(), Refusal> {
    match command {
        RunCommand::Queue(queued) => lifecycle::queue(draft, queued),
        RunCommand::Start => lifecycle::start(draft),
        RunCommand::Pause => lifecycle::pause(draft),
        RunCommand::Resume => lifecycle::resume(draft, None),
        RunCommand::ResumeWith { budget_micros } => lifecycle::resume(draft, Some(*budget_micros)),
        RunCommand::Cancel => lifecycle::cancel(draft),
        RunCommand::Delete => lifecycle::delete(draft),
        RunCommand::RetryRun => repair::retry_run(draft),
        RunCommand::RetryBlock(block) => repair::retry_block(draft, *block),
        RunCommand::SkipBlock(block) => repair::skip_block(draft, *block),
        RunCommand::StartBlock { block, queued, after, provider } => {
            deliver::start(draft, *block, *queued, *after, provider)
        }
        RunCommand::CompleteBlock(completion) => deliver::complete(draft, completion),
        RunCommand::FailBlock(completion, failure) => deliver::fail(draft, completion, failure),
    }
}

/// A decision in the making: the run as it would be after the events so far.
pub(super) struct Draft<'a> {
    pub run: Run,
    pub context: &'a Context,
    events: Vec<Event>,
    made: u64,
}

impl Draft<'_> {
    pub fn emit(&mut self, event: impl Into<Event>) {
        let event = event.into();
        evolve(&mut self.run, &event);
        self.events.push(event);
    }

    /// A fresh ULID, derived from the context's seed.
    pub fn fresh(&mut self) -> Ulid {
        self.made += 1;
        self.context.derive(self.made)
    }

    pub fn illegal(&self, command: &'static str) -> Refusal {
        Refusal::Illegal { status: self.run.status, command }
    }
}
