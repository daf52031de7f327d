//! A run under test with simulated workers; the invariants are checked after every step.

use std::collections::BTreeMap;

use luci_schema::{
    Actor, BlockId, Counts, Event, Failure, FailureCode, Micros, Stage, Version,
    event::{BlockEvent, BlockInput, BlockQueued, BlockReport, Cursor, RunQueued},
};
use ulid::Ulid;

use crate::core::{
    BlockState, Completion, Context, DecideError, Refusal, Run, RunCommand, RunStatus, decide, evolve,
    tests::fixture::{BAD, Deal, artifact, queued},
};

pub struct Scenario {
    pub run: Run,
    pub events: Vec<Event>,
    /// Every `block:queued` with its version, in order of delivery.
    pub deliveries: Vec<(BlockQueued, Version)>,
    pub now: Micros,
    seed: u128,
    retried: usize,
}

impl Scenario {
    pub fn new(queued: RunQueued) -> Self {
        let mut scenario = Self {
            run: Run::default(),
            events: vec![],
            deliveries: vec![],
            now: Micros(1_700_000_000_000_000),
            seed: 0,
            retried: 0,
        };
        scenario.issue(RunCommand::Queue(Box::new(queued))).expect("the run is queued");
        scenario
    }

    /// A started run of all stages.
    pub fn started(total_leads: u64, block_size: u32, window: u32) -> Self {
        let mut scenario = Self::new(queued(&Stage::ALL, total_leads, block_size, window));
        scenario.issue(RunCommand::Start).expect("the run starts");
        scenario
    }

    pub fn issue(&mut self, command: RunCommand) -> Result<Vec<Event>, Refusal> {
        self.issue_as(Actor::Actor(luci_schema::ActorId::from_ulid(Ulid(9))), command)
    }

    /// Decides, folds, and checks the invariants.
    pub fn issue_as(&mut self, actor: Actor, command: RunCommand) -> Result<Vec<Event>, Refusal> {
        self.seed += 1;
        self.now.0 += 1_000_000;
        let context = Context { now: self.now, seed: Ulid(self.seed), actor };
        let before = self.run.clone();
        let decided = decide(&self.run, &command, &context);
        assert_eq!(decided, decide(&self.run, &command, &context), "the same decision twice");
        let decided = decided.map_err(|error| match error {
            DecideError::Refused(refusal) => refusal,
            DecideError::Corrupt(corrupt) => panic!("{command:?}: {corrupt}"),
        });
        for event in decided.iter().flatten() {
            evolve(&mut self.run, event).expect("a decided event folds");
            let text = event.data().expect("data");
            assert_eq!(Event::decode(event.type_name(), 1, &text).expect("reads back"), *event);
            if let Event::Block(BlockEvent::Queued(queued)) = event {
                self.deliveries.push(((**queued).clone(), self.run.version()));
            }
            self.retried += usize::from(event.type_name() == "block:retried");
            self.events.push(event.clone());
        }
        self.check(&before);
        decided
    }

    fn check(&self, before: &Run) {
        let (run, totals) = (&self.run, self.run.totals());
        assert!(run.in_flight() <= run.window(), "window");
        assert!(totals.progress >= before.totals().progress, "progress fell");
        assert!(totals.processed_leads >= before.totals().processed_leads, "processed leads fell");
        assert_eq!(totals.progress == 100, run.status() == RunStatus::Completed, "100 when and only when completed");
        if matches!(before.status(), RunStatus::Completed | RunStatus::Cancelled) {
            assert_eq!(run.status(), before.status(), "a final run stays");
        }
        self.check_counts();
        self.check_memory();
        self.check_costs();
    }

    /// Reports, stages and run agree on the cost, and a run with pinned prices keeps to its budget.
    fn check_costs(&self) {
        let stages: u64 = self.run.stages().iter().map(|stage| stage.cost_micros).sum();
        assert_eq!(stages, self.run.totals().cost_micros);
        assert_eq!(self.events.iter().map(reported).sum::<u64>(), stages);
        if let Some(budget) = self.run.budget.filter(|_| !self.run.queued().prices.is_empty()) {
            assert!(stages <= budget, "{stages} spent of {budget}");
        }
    }

    /// The output of a stage is in the next one's sums, ready, or the input of a block there.
    fn check_counts(&self) {
        let stages = self.run.stages();
        assert!(stages.iter().all(|stage| stage.sums.balanced()), "{stages:?}");
        if self.run.status().ended() && self.run.status() != RunStatus::Failed {
            return;
        }
        for pair in stages.windows(2) {
            let ready: u64 = pair[1].ready.iter().map(|ready| artifact_leads(&ready.input)).sum();
            let held: u64 = self
                .run
                .open_blocks()
                .chain(self.run.retryable_blocks())
                .filter(|(_, block)| block.stage == pair[1].stage && block.merged.input == 0)
                .map(|(_, block)| artifact_leads(&block.input))
                .sum();
            assert_eq!(
                pair[0].sums.output(),
                pair[1].sums.input + ready + held,
                "{} -> {}",
                pair[0].stage,
                pair[1].stage
            );
        }
    }

    /// Only failed blocks and failed leads may grow with the run.
    fn check_memory(&self) {
        let ready: usize = self.run.stages().iter().map(|stage| stage.ready.len()).sum();
        let waiting = self.run.open_blocks().filter(|(_, block)| block.state == BlockState::Waiting).count();
        assert!(ready <= 2 * self.run.window() + self.retried, "{ready} ready");
        assert!(waiting <= self.retried);
    }

    /// Folding the whole history gives the same state.
    pub fn check_replay(&self) {
        let mut run = Run::default();
        for (event, n) in self.events.iter().zip(1..) {
            evolve(&mut run, event).expect("a decided event folds");
            // A stored state goes on as if it had never been stored.
            if n % 7 == 0 {
                run = serde_json::from_slice(&serde_json::to_vec(&run).expect("written")).expect("read");
            }
        }
        assert_eq!(run, self.run);
    }

    /// The blocks queued or running, in sequence.
    pub fn in_flight(&self) -> Vec<BlockId> {
        let mut open: Vec<_> = self.run.open_blocks().filter(|(_, block)| block.state.in_flight()).collect();
        open.sort_by_key(|(_, block)| block.sequence);
        open.into_iter().map(|(id, _)| id).collect()
    }

    pub fn in_stage(&self, stage: Stage) -> Vec<BlockId> {
        self.in_flight().into_iter().filter(|id| self.run.open_block(*id).is_some_and(|b| b.stage == stage)).collect()
    }

    pub fn delivery(&self, id: BlockId) -> (BlockQueued, Version) {
        self.deliveries.iter().rev().find(|(queued, _)| queued.block_id == id).expect("was queued").clone()
    }

    /// A worker's completion of one delivery with this result.
    pub fn completion(
        &self,
        (queued, version): &(BlockQueued, Version),
        attempt: Option<u32>,
        deal: Deal,
    ) -> Completion {
        let input = match &queued.input {
            BlockInput::Artifact { leads, .. } => *leads,
            BlockInput::Source { cursor } => {
                let left = self.run.queued().total_leads.saturating_sub(cursor.rows);
                left.min(u64::from(self.run.queued().options.block_size))
            }
        };
        let counts = deal.counts(input);
        let mut artifacts = vec![];
        if counts.output() > 0 {
            artifacts.push(artifact(queued, queued.stage.artifact_type(), 0, counts.output()));
        }
        if counts.failed > 0 {
            artifacts.push(artifact(queued, "failed", 1, counts.failed));
        }
        let next = match &queued.input {
            BlockInput::Source { cursor } if cursor.rows + input < self.run.queued().total_leads => {
                let rows = cursor.rows + input;
                Some(Cursor { offset: rows * 10, line: rows + 1, rows, after: None })
            }
            BlockInput::Source { .. } | BlockInput::Artifact { .. } => None,
        };
        let report = BlockReport {
            counts,
            failures: BTreeMap::new(),
            reasons: BTreeMap::new(),
            warnings: BTreeMap::new(),
            cost_micros: self.cost(queued, &counts),
            score_sum: None,
            artifacts,
            next,
        };
        let provider = "internal".into();
        Completion { block: queued.block_id, queued: *version, attempt, provider, started_at: self.now, report }
    }

    /// The provider bills each lead found at the pinned price, and none that an earlier attempt paid for.
    fn cost(&self, queued: &BlockQueued, counts: &Counts) -> u64 {
        let prices = &self.run.queued().prices;
        if prices.is_empty() {
            return counts.input * 3;
        }
        let most = prices.most_per_lead.get(&queued.stage).copied().unwrap_or_default();
        let paid = self.run.open_block(queued.block_id).map_or(0, |block| block.paid);
        (most * counts.success).min((most * counts.input).saturating_sub(paid))
    }

    pub fn begin(&mut self, id: BlockId) -> Result<Vec<Event>, Refusal> {
        let after = self.run.open_block(id).map_or(0, |block| block.attempt);
        self.begin_after(id, after)
    }

    /// Started by a worker that knows of no newer attempt.
    pub fn begin_after(&mut self, id: BlockId, after: u32) -> Result<Vec<Event>, Refusal> {
        let (_, queued) = self.delivery(id);
        self.issue(RunCommand::StartBlock { block: id, queued, after, provider: "internal".into() })
    }

    fn attempt(&self, id: BlockId) -> Option<u32> {
        let block = self.run.open_block(id)?;
        (block.state == BlockState::Running).then_some(block.attempt)
    }

    pub fn complete(&mut self, id: BlockId, deal: Deal) -> Result<Vec<Event>, Refusal> {
        let completion = self.completion(&self.delivery(id), self.attempt(id), deal);
        self.issue(RunCommand::CompleteBlock(Box::new(completion)))
    }

    pub fn fail(&mut self, id: BlockId, code: FailureCode) -> Result<Vec<Event>, Refusal> {
        let mut completion = self.completion(&self.delivery(id), self.attempt(id), BAD);
        completion.report.next = None;
        self.issue(RunCommand::FailBlock(Box::new(completion), Failure::new(code, "the block failed")))
    }

    /// Executes deliveries and due retries until nothing is left to do.
    pub fn settle(&mut self, deal: Deal) {
        for _ in 0..100_000 {
            let due: Vec<BlockId> = self.run.due.iter().copied().collect();
            let Some(id) = self.in_flight().first().copied() else {
                if due.is_empty() || self.run.status() != RunStatus::Running {
                    return;
                }
                due.into_iter().for_each(|id| drop(self.issue_as(Actor::System, RunCommand::RetryBlock(id))));
                continue;
            };
            if self.begin(id).is_err() {
                return;
            }
            self.complete(id, deal).expect("a started block completes");
        }
        panic!("the run does not come to an end");
    }

    pub fn types(events: &[Event]) -> Vec<&str> {
        events.iter().map(Event::type_name).collect()
    }
}

fn reported(event: &Event) -> u64 {
    match event {
        Event::Block(BlockEvent::Completed(completed)) => completed.report.cost_micros,
        Event::Block(BlockEvent::Failed(failed)) => failed.report.cost_micros,
        Event::Block(BlockEvent::Cancelled(cancelled)) => {
            cancelled.report.as_ref().map_or(0, |report| report.cost_micros)
        }
        _ => 0,
    }
}

fn artifact_leads(input: &BlockInput) -> u64 {
    match input {
        BlockInput::Artifact { leads, .. } => *leads,
        BlockInput::Source { .. } => 0,
    }
}
