//! The page folds events itself, for its slider. Its fold is checked against that of the projections over random runs.

use std::process::Command;

use luci_projections::runs;
use luci_runs::core::RunCommand;
use luci_schema::{FailureCode, TenantId, history::EventText};
use serde_json::{Value, json};

use crate::projections::history::{History, Outcome};

const RUNS: u64 = 1_000;

/// A small generator of numbers: the same runs each time, so that a difference can be looked into.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// The core refuses what does not fit the run's state; that is a case too.
fn try_command(history: &mut History, command: &RunCommand) {
    let _accepted = history.attempt(command);
}

fn random_run(numbers: &mut Numbers) -> History {
    let (leads, block_size) = (1 + numbers.below(40), 1 + u32::try_from(numbers.below(12)).unwrap_or(0));
    let mut history = History::started(TenantId::generate(), "random", leads, block_size);
    for _ in 0..3 + numbers.below(40) {
        match numbers.below(12) {
            0 => try_command(&mut history, &RunCommand::Pause),
            1 | 2 => try_command(&mut history, &RunCommand::Resume),
            3 => try_command(&mut history, &RunCommand::RetryRun),
            4 | 5 => {
                let blocks: Vec<_> = history.run.retryable_blocks().map(|(id, _)| id).collect();
                if !blocks.is_empty() {
                    let block = blocks[usize::try_from(numbers.below(blocks.len() as u64)).unwrap_or(0)];
                    let command = match numbers.below(2) {
                        0 => RunCommand::RetryBlock(block),
                        _ => RunCommand::SkipBlock(block),
                    };
                    try_command(&mut history, &command);
                }
            }
            6 if numbers.below(12) == 0 => try_command(&mut history, &RunCommand::Cancel),
            7 if numbers.below(6) == 0 => try_command(&mut history, &RunCommand::Delete),
            _ => {
                let outcome = match numbers.below(6) {
                    0 => Outcome::Failed(FailureCode::ALL[usize::try_from(numbers.below(6)).unwrap_or(0)]),
                    1 => Outcome::Done { failed: 0 },
                    _ => Outcome::Mixed {
                        no_match: numbers.below(4),
                        failed: numbers.below(3),
                        skipped: numbers.below(3),
                    },
                };
                for _ in 0..=numbers.below(4) {
                    history.try_work(outcome);
                }
            }
        }
    }
    history
}

#[test]
#[ignore = "needs node; make test runs it"]
fn the_fold_of_the_page_equals_that_of_the_projections() {
    let mut numbers = Numbers(7);
    let mut cases = Vec::new();
    for _ in 0..RUNS {
        let history = random_run(&mut numbers);
        let recorded = history.recorded(0);
        let texts: Vec<Value> = recorded
            .iter()
            .map(|event| serde_json::to_value(EventText::try_from(&**event).expect("data")).expect("JSON"))
            .collect();
        let length = u64::try_from(recorded.len()).expect("small");
        let mut moments: Vec<u64> = (0..3).map(|_| 1 + numbers.below(length)).collect();
        moments.push(length);
        let expected: Vec<Value> = moments
            .iter()
            .map(|at| {
                let upto = &recorded[..usize::try_from(*at).expect("small")];
                let detail = runs::as_of(upto).expect("folds").expect("a run");
                let mut detail = serde_json::to_value(detail).expect("JSON");
                // The sentence for people is the server's; the page folds its reason and data.
                if let Some(waiting) = detail["run"]["waitingFor"].as_object_mut() {
                    waiting.remove("message");
                }
                json!({"at": at, "detail": detail})
            })
            .collect();
        cases.push(json!({"events": texts, "expected": expected}));
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    serde_json::to_writer(std::io::BufWriter::new(file.as_file()), &cases).expect("written");
    let mut command = Command::new("node");
    command.args(["node_modules/vitest/vitest.mjs", "run", "tests/fold.test.ts"]).current_dir(super::dashboard());
    let output = command.env("FOLD_CASES", file.path()).output().expect("node; `make test` installs one");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("passed"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
