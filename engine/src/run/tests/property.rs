//! Any sequence of commands, deliveries, repeats and failures: the invariants hold, and the run can always be ended.

use luci_schema::{Actor, BlockId, Failure, FailureCode, Stage, event::BlockReport};
use proptest::prelude::*;

use super::{
    given::{Deal, GOOD, queued},
    story::Story,
};
use crate::run::{BlockState, Completion, Refusal, RunCommand, RunStatus};

#[derive(Debug, Clone)]
enum Step {
    /// A delivery, old or new, reaches a worker that starts it.
    Start(usize),
    /// A delivery reaches a worker that reports without having started it, or from any attempt.
    Report {
        delivery: usize,
        attempt: Option<u32>,
        turn: Turn,
    },
    /// A block in flight is started and reported properly.
    Work {
        block: usize,
        turn: Turn,
    },
    /// The last report once more.
    Repeat,
    /// The clock retries what is due.
    Clock(usize),
    Retry(usize),
    Skip(usize),
    Ask(RunCommand),
}

/// How a block turns out.
#[derive(Debug, Clone)]
enum Turn {
    Complete(Deal),
    Fail(Deal, FailureCode, Keep),
}

/// What a broken block's report still holds.
#[derive(Debug, Clone, Copy)]
enum Keep {
    Everything,
    /// Counts, but no artifact.
    Counts,
    Nothing,
}

fn deal() -> impl Strategy<Value = Deal> {
    (0..4_u64, 0..3_u64, 0..3_u64, 0..3_u64).prop_map(|(success, no_match, failed, skipped)| Deal {
        success,
        no_match,
        failed,
        skipped,
    })
}

fn turn() -> impl Strategy<Value = Turn> {
    let keep = prop_oneof![Just(Keep::Everything), Just(Keep::Counts), Just(Keep::Nothing)];
    prop_oneof![
        3 => deal().prop_map(Turn::Complete),
        1 => (deal(), proptest::sample::select(FailureCode::ALL.to_vec()), keep)
            .prop_map(|(deal, code, keep)| Turn::Fail(deal, code, keep)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let command = proptest::sample::select(vec![
        RunCommand::Start,
        RunCommand::Pause,
        RunCommand::Resume,
        RunCommand::Resume,
        RunCommand::RetryRun,
        RunCommand::RetryRun,
    ]);
    let last = proptest::sample::select(vec![RunCommand::Cancel, RunCommand::Delete]);
    prop_oneof![
        60 => (0..8_usize, turn()).prop_map(|(block, turn)| Step::Work { block, turn }),
        10 => (0..64_usize).prop_map(Step::Start),
        10 => (0..64_usize, proptest::option::of(0..4_u32), turn())
            .prop_map(|(delivery, attempt, turn)| Step::Report { delivery, attempt, turn }),
        5 => Just(Step::Repeat),
        8 => (0..8_usize).prop_map(Step::Clock),
        6 => (0..16_usize).prop_map(Step::Retry),
        3 => (0..16_usize).prop_map(Step::Skip),
        10 => command.prop_map(Step::Ask),
        2 => (0..700_u64).prop_map(|budget_micros| Step::Ask(RunCommand::ResumeWith { budget_micros })),
        1 => last.prop_map(Step::Ask),
    ]
}

fn stages() -> impl Strategy<Value = Vec<Stage>> {
    proptest::sample::subsequence(Stage::ALL[1..].to_vec(), 0..=6)
        .prop_map(|rest| std::iter::once(Stage::Import).chain(rest).collect())
}

fn nth<T: Clone>(list: &[T], n: usize) -> Option<T> {
    (!list.is_empty()).then(|| list[n % list.len()].clone())
}

fn command(completion: Completion, turn: &Turn) -> RunCommand {
    match turn {
        Turn::Complete(_) => RunCommand::CompleteBlock(Box::new(completion)),
        Turn::Fail(_, code, keep) => {
            let mut completion = completion;
            match keep {
                Keep::Everything => {}
                Keep::Counts => completion.report.artifacts.clear(),
                Keep::Nothing => completion.report = nothing(),
            }
            RunCommand::FailBlock(Box::new(completion), Failure::new(*code, "broke"))
        }
    }
}

fn nothing() -> BlockReport {
    serde_json::from_str(r#"{"counts":{"input":0,"success":0,"noMatch":0,"failed":0,"skipped":0},"costMicros":0}"#)
        .expect("an empty report")
}

fn deal_of(turn: &Turn) -> Deal {
    match turn {
        Turn::Complete(deal) | Turn::Fail(deal, ..) => *deal,
    }
}

struct Play {
    story: Story,
    last_report: Option<RunCommand>,
}

impl Play {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Start(n) => {
                let (queued, version) = nth(&self.story.deliveries, *n).unwrap_or_else(|| panic!("started"));
                let provider = "internal".into();
                let after = self.story.run.open_block(queued.block_id).map_or(0, |block| block.attempt);
                let start = RunCommand::StartBlock { block: queued.block_id, queued: version, after, provider };
                drop(self.story.ask(start));
            }
            Step::Report { delivery, attempt, turn } => {
                let delivery = nth(&self.story.deliveries, *delivery).unwrap_or_else(|| panic!("started"));
                let completion = self.story.completion(&delivery, *attempt, deal_of(turn));
                self.report(command(completion, turn));
            }
            Step::Work { block, turn } => self.work(*block, turn),
            Step::Repeat => {
                let Some(repeat) = self.last_report.clone() else { return };
                let before = self.story.run.clone();
                let refused = self.story.ask(repeat);
                assert!(matches!(refused, Err(Refusal::Stale | Refusal::Deleted)), "{refused:?}");
                assert_eq!(before, self.story.run, "a repeat changes nothing");
            }
            Step::Clock(n) => {
                let due: Vec<BlockId> = self.story.run.due.iter().copied().collect();
                if let Some(id) = nth(&due, *n) {
                    drop(self.story.ask_as(Actor::System, RunCommand::RetryBlock(id)));
                }
            }
            Step::Retry(n) => self.on_shelved(*n, RunCommand::RetryBlock),
            Step::Skip(n) => self.on_shelved(*n, RunCommand::SkipBlock),
            Step::Ask(asked) => drop(self.story.ask(asked.clone())),
        }
    }

    fn work(&mut self, block: usize, turn: &Turn) {
        let Some(id) = nth(&self.story.in_flight(), block) else { return };
        drop(self.story.begin(id));
        let attempt = match self.story.run.open_block(id) {
            Some(open) if open.state == BlockState::Running => Some(open.attempt),
            _ => None,
        };
        let completion = self.story.completion(&self.story.delivery(id), attempt, deal_of(turn));
        self.report(command(completion, turn));
    }

    fn report(&mut self, report: RunCommand) {
        if self.story.ask(report.clone()).is_ok() {
            self.last_report = Some(report);
        }
    }

    fn on_shelved(&mut self, n: usize, ask: fn(BlockId) -> RunCommand) {
        let shelved: Vec<BlockId> = self.story.run.shelved_blocks().map(|(id, _)| id).collect();
        if let Some(id) = nth(&shelved, n) {
            drop(self.story.ask(ask(id)));
        }
    }

    /// Workers deliver and people repair: the run comes to an end that is not a failed block.
    fn end(&mut self) {
        for _ in 0..1_000 {
            if let Err(Refusal::OverBudget { missing_micros }) = self.story.ask(RunCommand::Resume) {
                let budget_micros = self.story.run.budget.expect("a budget") + missing_micros;
                self.story.ask(RunCommand::ResumeWith { budget_micros }).expect("covers the next block");
            }
            self.story.settle(GOOD);
            let status = self.story.run.status();
            if matches!(status, RunStatus::Completed | RunStatus::Cancelled) || self.story.run.deleted() {
                return;
            }
            if status == RunStatus::Failed && self.story.ask(RunCommand::RetryRun).is_err() {
                let error = self.story.run.error().expect("a failed run says why");
                assert!(error.message.starts_with("no_valid_leads"), "{error:?}");
                return;
            }
        }
        panic!("stuck: {:?}", self.story.run);
    }
}

proptest! {
    // 128 cases; PROPTEST_CASES sets twice the number.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 2,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_keeps_the_promises(
        stages in stages(),
        total in 0..60_u64,
        block_size in 1..12_u32,
        window in 1..5_u32,
        budget in proptest::option::weighted(0.4, 1..500_u64),
        prices in proptest::collection::btree_map(proptest::sample::select(Stage::ALL[1..].to_vec()), 1..9_u64, 0..4),
        steps in proptest::collection::vec(step(), 0..160),
    ) {
        let mut given = queued(&stages, total, block_size, window);
        given.budget_micros = budget;
        given.prices.most_per_lead = prices;
        let mut play = Play { story: Story::new(given), last_report: None };
        play.story.ask(RunCommand::Start).expect("starts");
        for step in &steps {
            play.take(step);
        }
        play.end();
        play.story.check_replay();
        let run = &play.story.run;
        if run.status() == RunStatus::Completed {
            let sums = run.stages();
            prop_assert!(sums.windows(2).all(|pair| pair[0].sums.output() == pair[1].sums.input), "{sums:?}");
            prop_assert_eq!(run.totals().processed_leads, sums[0].sums.input);
            prop_assert_eq!(run.error(), None);
        }
    }
}
