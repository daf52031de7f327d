//! When failed blocks are due for their automatic retry. Pure.
//!
//! Blocks that a provider's outage failed wait for that provider: the first block that it completes, and a probe that it answers,
//! makes all of them due, so that none waits out a pause that was chosen while the provider did not answer.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use luci_schema::{
    BlockEvent, BlockId, Event, EventId, FailureCode, Micros, Recorded, RunEvent, RunId, StreamId, TenantId,
    event::{BlockCompleted, BlockFailed},
};

use super::provider_probes::ProviderProbes;

/// One block's retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RetryTimer {
    pub tenant: TenantId,
    pub run: RunId,
    pub block: BlockId,
    pub due: Micros,
    /// The `block:failed` that set it.
    pub event: EventId,
    /// Its retry was refused; due again when the run resumes.
    pub parked: bool,
    /// The provider whose outage failed the block.
    pub waits_for: Option<Arc<str>>,
}

/// All timers, and which changed since the last save.
#[derive(Default)]
pub(super) struct RetryTimers {
    timers: HashMap<BlockId, RetryTimer>,
    by_run: HashMap<RunId, HashSet<BlockId>>,
    /// Timers that wait for a provider, and are not due before their time yet.
    by_provider: HashMap<Arc<str>, HashSet<BlockId>>,
    /// Blocks that were due before their time once: when they fail again, the next retry has its whole pause, unless the
    /// provider's circuit breaker is why.
    hastened: HashSet<BlockId>,
    probes: ProviderProbes,
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
                    waits_for: self.awaited(failed),
                }),
                None => self.end(failed.block_id),
            },
            BlockEvent::Completed(completed) => {
                self.end(completed.block_id);
                self.answered(completed, recorded.recorded_at);
            }
            BlockEvent::Skipped(_) | BlockEvent::Cancelled(_) => self.end(event.block_id()),
            BlockEvent::Queued(_) | BlockEvent::Started(_) | BlockEvent::Retried(_) => self.remove(event.block_id()),
        }
    }

    /// The provider whose outage failed the block, if its recovery makes the block due.
    fn awaited(&self, failed: &BlockFailed) -> Option<Arc<str>> {
        let outage = matches!(failed.failure.code, FailureCode::ApiError | FailureCode::Timeout);
        let not_called = failed.failure.not_before_micros.is_some();
        let waits = outage && (not_called || !self.hastened.contains(&failed.block_id));
        waits.then(|| failed.provider.as_str().into())
    }

    /// The provider answers again: what waits for it is due now.
    fn answered(&mut self, completed: &BlockCompleted, at: Micros) {
        let counts = completed.report.counts;
        if counts.success + counts.no_match == 0 {
            return;
        }
        self.probes.recovered(&completed.provider);
        self.hasten(&completed.provider, at);
    }

    /// The providers to be asked now whether they answer again, each once until `probed`.
    pub(super) fn take_probes(&mut self, now: Micros) -> Vec<Arc<str>> {
        self.probes.take(self.by_provider.keys().cloned(), now)
    }

    /// The result of a probe: what waits for a provider that answers is due now.
    pub(super) fn probed(&mut self, provider: &str, answered: bool, now: Micros) {
        self.probes.ended(provider, answered, now);
        if answered {
            self.hasten(provider, now);
        }
    }

    fn hasten(&mut self, provider: &str, at: Micros) {
        for block in self.by_provider.remove(provider).unwrap_or_default() {
            let Some(timer) = self.timers.get(&block).filter(|timer| timer.due > at).cloned() else { continue };
            self.hastened.insert(block);
            self.put(RetryTimer { due: at, waits_for: None, ..timer });
        }
    }

    /// The block is not retried automatically any more.
    fn end(&mut self, block: BlockId) {
        self.remove(block);
        self.hastened.remove(&block);
    }

    fn fold_run(&mut self, event: &RunEvent, run: RunId, at: Micros) {
        match event {
            RunEvent::Resumed(_) => {
                for block in self.of(run) {
                    // Parked, or taken and possibly about to be refused.
                    let idle = |t: &RetryTimer| !self.order.contains(&(t.due, t.block));
                    if let Some(timer) = self.timers.get(&block).filter(|timer| idle(timer)).cloned() {
                        self.put(RetryTimer { due: at, parked: false, ..timer });
                    }
                }
            }
            RunEvent::Completed(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_) | RunEvent::Deleted(_) => {
                for block in self.of(run) {
                    self.end(block);
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
            taken.extend(self.timers.get(&block).cloned());
        }
        taken
    }

    pub(super) fn next(&self) -> Option<Micros> {
        let retry = self.order.first().map(|(due, _)| *due);
        retry.into_iter().chain(self.probes.next(self.by_provider.keys())).min()
    }

    /// Sets a taken timer again, unless an event changed it meanwhile.
    pub(super) fn reschedule(&mut self, taken: &RetryTimer, due: Micros) {
        if self.timers.get(&taken.block) == Some(taken) {
            self.put(RetryTimer { due, ..taken.clone() });
        }
    }

    /// Lets a taken timer wait for its run to resume, unless an event changed it meanwhile.
    pub(super) fn park(&mut self, taken: &RetryTimer) {
        if self.timers.get(&taken.block) == Some(taken) {
            self.put(RetryTimer { parked: true, ..taken.clone() });
        }
    }

    pub(super) fn get(&self, block: BlockId) -> Option<&RetryTimer> {
        self.timers.get(&block)
    }

    fn put(&mut self, timer: RetryTimer) {
        self.remove(timer.block);
        self.by_run.entry(timer.run).or_default().insert(timer.block);
        if let Some(provider) = &timer.waits_for {
            self.by_provider.entry(Arc::clone(provider)).or_default().insert(timer.block);
        }
        if !timer.parked {
            self.order.insert((timer.due, timer.block));
        }
        self.changed.insert((timer.run, timer.block));
        self.timers.insert(timer.block, timer);
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
        if let Some(provider) = timer.waits_for
            && let Some(blocks) = self.by_provider.get_mut(&provider)
        {
            blocks.remove(&block);
            if blocks.is_empty() {
                self.by_provider.remove(&provider);
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
            waits_for: None,
        }
    }

    fn waiting(due: i64, provider: &str) -> RetryTimer {
        RetryTimer { waits_for: Some(provider.into()), ..timer(due) }
    }

    /// A block that a provider completed.
    fn completed(provider: &str, success: u64) -> BlockCompleted {
        let counts = luci_schema::Counts { input: 5, success, failed: 5 - success, ..Default::default() };
        serde_json::from_value(serde_json::json!({
            "blockId": BlockId::generate(), "stage": "enrich", "blockNumber": 1, "attempt": 1, "provider": provider,
            "startedAtMicros": 1, "merged": counts, "totals": luci_schema::event::RunTotals::default(),
            "counts": counts, "costMicros": 0,
        }))
        .unwrap()
    }

    #[test]
    fn the_first_answer_of_a_provider_makes_due_what_waits_for_it() {
        let (one, two, other, limited) =
            (waiting(500, "apollo"), waiting(300, "apollo"), waiting(400, "trestle"), timer(450));
        let mut timers = RetryTimers::restore(vec![one.clone(), two.clone(), other.clone(), limited]);
        timers.answered(&completed("apollo", 0), Micros(90));
        assert_eq!(timers.take(Micros(100)), [], "no lead was answered");
        timers.answered(&completed("apollo", 1), Micros(100));
        let taken: HashSet<BlockId> = timers.take(Micros(100)).iter().map(|timer| timer.block).collect();
        assert_eq!(taken, HashSet::from([one.block, two.block]));
        assert_eq!(timers.next(), Some(Micros(400)), "what waits for another provider, or for a limit, keeps its time");
        assert!(!timers.by_provider.contains_key("apollo") && timers.by_provider.contains_key("trestle"));
    }

    #[test]
    fn a_probe_that_is_answered_makes_due_what_waits_for_the_provider() {
        let (one, other) = (waiting(500_000_000, "apollo"), waiting(400_000_000, "trestle"));
        let mut timers = RetryTimers::restore(vec![one.clone(), other]);
        assert!(timers.take_probes(Micros(0)).is_empty());
        let first = timers.next().expect("a probe");
        assert!(first < Micros(400_000_000));
        let mut asked = timers.take_probes(first);
        asked.sort();
        assert_eq!(asked, ["apollo".into(), "trestle".into()] as [Arc<str>; 2]);
        timers.probed("apollo", false, first);
        timers.probed("trestle", false, first);
        assert_eq!(timers.take(first), []);
        timers.probed("apollo", true, first);
        let due: Vec<BlockId> = timers.take(first).iter().map(|timer| timer.block).collect();
        assert_eq!(due, [one.block], "what waits for another provider keeps its time");
    }

    #[test]
    fn due_timers_are_taken_once_and_in_order() {
        let (late, early, never) = (timer(20), timer(10), timer(31));
        let mut timers = RetryTimers::restore(vec![late.clone(), early.clone(), never]);
        assert_eq!(timers.next(), Some(Micros(10)));
        assert_eq!(timers.take(Micros(30)), [early.clone(), late]);
        assert!(timers.take(Micros(30)).is_empty());
        timers.reschedule(&early, Micros(30));
        assert_eq!(timers.take(Micros(30)), [RetryTimer { due: Micros(30), ..early }]);
    }

    #[test]
    fn a_parked_timer_is_due_again_when_its_run_resumes() {
        let one = timer(10);
        let mut timers = RetryTimers::restore(vec![one.clone()]);
        let taken = timers.take(Micros(10));
        timers.park(&taken[0]);
        assert_eq!(timers.next(), None);
        timers.fold_run(&RunEvent::Resumed(luci_schema::event::RunResumed::default()), one.run, Micros(40));
        assert_eq!(timers.next(), Some(Micros(40)));
    }

    #[test]
    fn a_resume_between_the_command_and_its_refusal_is_not_missed() {
        let one = timer(10);
        let mut timers = RetryTimers::restore(vec![one.clone()]);
        let taken = timers.take(Micros(10));
        timers.fold_run(&RunEvent::Resumed(luci_schema::event::RunResumed::default()), one.run, Micros(40));
        timers.park(&taken[0]);
        assert_eq!(timers.next(), Some(Micros(40)));
    }
}
