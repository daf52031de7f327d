//! When failed blocks are due for their automatic retry. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use luci_schema::{BlockEvent, BlockId, Event, EventId, Micros, Recorded, RunEvent, RunId, StreamId, TenantId};

/// One block's retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RetryTimer {
    pub tenant: TenantId,
    pub run: RunId,
    pub block: BlockId,
    pub due: Micros,
    /// The `block:failed` that set it.
    pub event: EventId,
    /// Its retry was refused; due again when the run resumes.
    pub parked: bool,
}

/// All timers, and which changed since the last save.
#[derive(Default)]
pub(super) struct RetryTimers {
    timers: HashMap<BlockId, RetryTimer>,
    by_run: HashMap<RunId, HashSet<BlockId>>,
    /// Timers that are neither parked nor taken.
    order: BTreeSet<(Micros, BlockId)>,
    pub changed: HashSet<(RunId, BlockId)>,
}

impl RetryTimers {
    pub(super) fn restore(timers: Vec<RetryTimer>) -> Self {
        let mut restored = Self::default();
        for timer in timers {
            restored.put(timer);
        }
        restored.changed.clear();
        restored
    }

    pub(super) fn fold(&mut self, recorded: &Recorded) {
        let StreamId::Run(run) = recorded.stream_id else { return };
        match &recorded.event {
            Event::Block(event) => self.fold_block(event, run, recorded),
            Event::Run(event) => self.fold_run(event, run, recorded.recorded_at),
            Event::Artifact(_) | Event::Config(_) | Event::Unknown(_) => {}
        }
    }

    fn fold_block(&mut self, event: &BlockEvent, run: RunId, recorded: &Recorded) {
        match event {
            BlockEvent::Failed(failed) => match failed.retry_at_micros {
                Some(due) => self.put(RetryTimer {
                    tenant: recorded.tenant_id,
                    run,
                    block: failed.block_id,
                    due,
                    event: recorded.event_id,
                    parked: false,
                }),
                None => self.remove(failed.block_id),
            },
            BlockEvent::Queued(_)
            | BlockEvent::Started(_)
            | BlockEvent::Completed(_)
            | BlockEvent::Retried(_)
            | BlockEvent::Skipped(_)
            | BlockEvent::Cancelled(_) => self.remove(event.block_id()),
        }
    }

    fn fold_run(&mut self, event: &RunEvent, run: RunId, at: Micros) {
        match event {
            RunEvent::Resumed(_) => {
                for block in self.of(run) {
                    // Parked, or taken and possibly about to be refused.
                    let idle = |t: &RetryTimer| !self.order.contains(&(t.due, t.block));
                    if let Some(timer) = self.timers.get(&block).copied().filter(idle) {
                        self.put(RetryTimer { due: at, parked: false, ..timer });
                    }
                }
            }
            RunEvent::Completed(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_) | RunEvent::Deleted(_) => {
                for block in self.of(run) {
                    self.remove(block);
                }
            }
            RunEvent::Queued(_) | RunEvent::Started(_) | RunEvent::Paused(_) => {}
        }
    }

    fn of(&self, run: RunId) -> Vec<BlockId> {
        self.by_run.get(&run).into_iter().flatten().copied().collect()
    }

    /// Takes the timers that are due, each once until it is set again.
    pub(super) fn take(&mut self, now: Micros) -> Vec<RetryTimer> {
        let mut taken = Vec::new();
        while let Some(&(due, block)) = self.order.first()
            && due <= now
        {
            self.order.remove(&(due, block));
            taken.extend(self.timers.get(&block).copied());
        }
        taken
    }

    pub(super) fn next(&self) -> Option<Micros> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Sets a taken timer again, unless an event changed it meanwhile.
    pub(super) fn reschedule(&mut self, taken: &RetryTimer, due: Micros) {
        if self.timers.get(&taken.block) == Some(taken) {
            self.put(RetryTimer { due, ..*taken });
        }
    }

    /// Lets a taken timer wait for its run to resume, unless an event changed it meanwhile.
    pub(super) fn park(&mut self, taken: &RetryTimer) {
        if self.timers.get(&taken.block) == Some(taken) {
            self.put(RetryTimer { parked: true, ..*taken });
        }
    }

    pub(super) fn get(&self, block: BlockId) -> Option<&RetryTimer> {
        self.timers.get(&block)
    }

    fn put(&mut self, timer: RetryTimer) {
        self.remove(timer.block);
        self.timers.insert(timer.block, timer);
        self.by_run.entry(timer.run).or_default().insert(timer.block);
        if !timer.parked {
            self.order.insert((timer.due, timer.block));
        }
        self.changed.insert((timer.run, timer.block));
    }

    fn remove(&mut self, block: BlockId) {
        let Some(timer) = self.timers.remove(&block) else { return };
        self.order.remove(&(timer.due, block));
        if let Some(blocks) = self.by_run.get_mut(&timer.run) {
            blocks.remove(&block);
            if blocks.is_empty() {
                self.by_run.remove(&timer.run);
            }
        }
        self.changed.insert((timer.run, block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(due: i64) -> RetryTimer {
        RetryTimer {
            tenant: TenantId::generate(),
            run: RunId::generate(),
            block: BlockId::generate(),
            due: Micros(due),
            event: EventId::generate(),
            parked: false,
        }
    }

    #[test]
    fn due_timers_are_taken_once_and_in_order() {
        let (late, early, never) = (timer(20), timer(10), timer(31));
        let mut timers = RetryTimers::restore(vec![late, early, never]);
        assert_eq!(timers.next(), Some(Micros(10)));
        assert_eq!(timers.take(Micros(30)), [early, late]);
        assert!(timers.take(Micros(30)).is_empty());
        timers.reschedule(&early, Micros(30));
        assert_eq!(timers.take(Micros(30)), [RetryTimer { due: Micros(30), ..early }]);
    }

    #[test]
    fn a_parked_timer_is_due_again_when_its_run_resumes() {
        let one = timer(10);
        let mut timers = RetryTimers::restore(vec![one]);
        let taken = timers.take(Micros(10));
        timers.park(&taken[0]);
        assert_eq!(timers.next(), None);
        timers.fold_run(&RunEvent::Resumed(luci_schema::event::RunResumed::default()), one.run, Micros(40));
        assert_eq!(timers.next(), Some(Micros(40)));
    }

    #[test]
    fn a_resume_between_the_command_and_its_refusal_is_not_missed() {
        let one = timer(10);
        let mut timers = RetryTimers::restore(vec![one]);
        let taken = timers.take(Micros(10));
        timers.fold_run(&RunEvent::Resumed(luci_schema::event::RunResumed::default()), one.run, Micros(40));
        timers.park(&taken[0]);
        assert_eq!(timers.next(), Some(Micros(40)));
    }
}
