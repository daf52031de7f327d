//! For any sequence of commands, deliveries, repeats and failures the invariants hold, and the run can always be ended.

use luci_schema::{Actor, BlockId, Failure, FailureCode, Stage, event::BlockReport};
use proptest::prelude::*;

use crate::core::{
    BlockState, Completion, Refusal, RunCommand, RunStatus,
    tests::{
        fixture::{Deal, GOOD, queued},
        scenario::Scenario,
    },
};

#[derive(Debug, Clone)]
enum Step {
    /// A delivery, old or new, reaches a worker that starts it.
    Start(usize),
    /// A worker reports a delivery without having started it, or with any attempt number.
    Report {
        delivery: usize,
        attempt: Option<u32>,
        result: BlockResult,
    },
    /// A block in flight is started and reported correctly.
    Work {
        block: usize,
        result: BlockResult,
    },
    /// The last report again.
    Repeat,
    /// The clock retries what is due.
    Clock(usize),
    Retry(usize),
    Skip(usize),
    Command(RunCommand),
}

#[derive(Debug, Clone)]
enum BlockResult {
    Complete(Deal),
    Fail(Deal, FailureCode, ReportRest),
}

/// What the report of a failed block still holds.
#[derive(Debug, Clone, Copy)]
enum ReportRest {
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

fn result() -> impl Strategy<Value = BlockResult> {
    let keep = prop_oneof![Just(ReportRest::Everything), Just(ReportRest::Counts), Just(ReportRest::Nothing)];
    prop_oneof![
        3 => deal().prop_map(BlockResult::Complete),
        1 => (deal(), proptest::sample::select(FailureCode::ALL.to_vec()), keep)
            .prop_map(|(deal, code, keep)| BlockResult::Fail(deal, code, keep)),
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
        60 => (0..8_usize, result()).prop_map(|(block, result)| Step::Work { block, result }),
        10 => (0..64_usize).prop_map(Step::Start),
        10 => (0..64_usize, proptest::option::of(0..4_u32), result())
            .prop_map(|(delivery, attempt, result)| Step::Report { delivery, attempt, result }),
        5 => Just(Step::Repeat),
        8 => (0..8_usize).prop_map(Step::Clock),
        6 => (0..16_usize).prop_map(Step::Retry),
        3 => (0..16_usize).prop_map(Step::Skip),
        10 => command.prop_map(Step::Command),
        2 => (0..700_u64).prop_map(|budget_micros| Step::Command(RunCommand::ResumeWith { budget_micros })),
        1 => last.prop_map(Step::Command),
    ]
}

fn stages() -> impl Strategy<Value = Vec<Stage>> {
    proptest::sample::subsequence(Stage::ALL[1..].to_vec(), 0..=6)
        .prop_map(|rest| std::iter::once(Stage::Import).chain(rest).collect())
}

fn nth<T: Clone>(list: &[T], n: usize) -> Option<T> {
    (!list.is_empty()).then(|| list[n % list.len()].clone())
}

fn command(completion: Completion, result: &BlockResult) -> RunCommand {
    match result {
        BlockResult::Complete(_) => RunCommand::CompleteBlock(Box::new(completion)),
        BlockResult::Fail(_, code, keep) => {
            let mut completion = completion;
            match keep {
                ReportRest::Everything => {}
                ReportRest::Counts => completion.report.artifacts.clear(),
                ReportRest::Nothing => completion.report = nothing(),
            }
            RunCommand::FailBlock(Box::new(completion), Failure::new(*code, "failed"))
        }
    }
}

fn nothing() -> BlockReport {
    serde_json::from_str(r#"{"counts":{"input":0,"success":0,"noMatch":0,"failed":0,"skipped":0},"costMicros":0}"#)
        .expect("an empty report")
}

fn deal_of(result: &BlockResult) -> Deal {
    match result {
        BlockResult::Complete(deal) | BlockResult::Fail(deal, ..) => *deal,
    }
}

struct Play {
    scenario: Scenario,
    last_report: Option<RunCommand>,
}

impl Play {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Start(n) => {
                let (queued, version) = nth(&self.scenario.deliveries, *n).unwrap_or_else(|| panic!("started"));
                let provider = "internal".into();
                let after = self.scenario.run.open_block(queued.block_id).map_or(0, |block| block.attempt);
                let start = RunCommand::StartBlock { block: queued.block_id, queued: version, after, provider };
                drop(self.scenario.issue(start));
            }
            Step::Report { delivery, attempt, result } => {
                let delivery = nth(&self.scenario.deliveries, *delivery).unwrap_or_else(|| panic!("started"));
                let completion = self.scenario.completion(&delivery, *attempt, deal_of(result));
                self.report(command(completion, result));
            }
            Step::Work { block, result } => self.work(*block, result),
            Step::Repeat => {
                let Some(repeat) = self.last_report.clone() else { return };
                let before = self.scenario.run.clone();
                let refused = self.scenario.issue(repeat);
                assert!(matches!(refused, Err(Refusal::Stale | Refusal::Deleted)), "{refused:?}");
                assert_eq!(before, self.scenario.run, "a repeat changes nothing");
            }
            Step::Clock(n) => {
                let due: Vec<BlockId> = self.scenario.run.due.iter().copied().collect();
                if let Some(id) = nth(&due, *n) {
                    drop(self.scenario.issue_as(Actor::System, RunCommand::RetryBlock(id)));
                }
            }
            Step::Retry(n) => self.on_retryable(*n, RunCommand::RetryBlock),
            Step::Skip(n) => self.on_retryable(*n, RunCommand::SkipBlock),
            Step::Command(command) => drop(self.scenario.issue(command.clone())),
        }
    }

    fn work(&mut self, block: usize, result: &BlockResult) {
        let Some(id) = nth(&self.scenario.in_flight(), block) else { return };
        drop(self.scenario.begin(id));
        let attempt = match self.scenario.run.open_block(id) {
            Some(open) if open.state == BlockState::Running => Some(open.attempt),
            _ => None,
        };
        let completion = self.scenario.completion(&self.scenario.delivery(id), attempt, deal_of(result));
        self.report(command(completion, result));
    }

    fn report(&mut self, report: RunCommand) {
        if self.scenario.issue(report.clone()).is_ok() {
            self.last_report = Some(report);
        }
    }

    fn on_retryable(&mut self, n: usize, ask: fn(BlockId) -> RunCommand) {
        let retryable: Vec<BlockId> = self.scenario.run.retryable_blocks().map(|(id, _)| id).collect();
        if let Some(id) = nth(&retryable, n) {
            drop(self.scenario.issue(ask(id)));
        }
    }

    /// With working blocks and retries the run ends, and not by a failed block.
    fn end(&mut self) {
        for _ in 0..1_000 {
            if let Err(Refusal::OverBudget { missing_micros }) = self.scenario.issue(RunCommand::Resume) {
                let budget_micros = self.scenario.run.budget.expect("a budget") + missing_micros;
                self.scenario.issue(RunCommand::ResumeWith { budget_micros }).expect("covers the next block");
            }
            self.scenario.settle(GOOD);
            let status = self.scenario.run.status();
            if matches!(status, RunStatus::Completed | RunStatus::Cancelled) || self.scenario.run.deleted() {
                return;
            }
            if status == RunStatus::Failed && self.scenario.issue(RunCommand::RetryRun).is_err() {
                let error = self.scenario.run.error().expect("a failed run says why");
                assert!(error.message.starts_with("no_valid_leads"), "{error:?}");
                return;
            }
        }
        panic!("stuck: {:?}", self.scenario.run);
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
        let mut run = queued(&stages, total, block_size, window);
        run.budget_micros = budget;
        run.prices.most_per_lead = prices;
        let mut play = Play { scenario: Scenario::new(run), last_report: None };
        play.scenario.issue(RunCommand::Start).expect("starts");
        for step in &steps {
            play.take(step);
        }
        play.end();
        play.scenario.check_replay();
        let run = &play.scenario.run;
        if run.status() == RunStatus::Completed {
            let sums = run.stages();
            prop_assert!(sums.windows(2).all(|pair| pair[0].sums.output() == pair[1].sums.input), "{sums:?}");
            prop_assert_eq!(run.totals().processed_leads, sums[0].sums.input);
            prop_assert_eq!(run.error(), None);
        }
    }
}
