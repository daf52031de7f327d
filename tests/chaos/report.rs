//! What a schedule did and what held afterwards, as a table.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{faults::Tally, work::Summary};

pub struct Report {
    seed: u64,
    duration: Duration,
    tally: Tally,
    pub summary: Summary,
    lines: Vec<Line>,
}

struct Line {
    check: &'static str,
    outcome: Result<String, String>,
}

impl Report {
    pub const fn new(seed: u64, duration: Duration, tally: Tally, summary: Summary) -> Self {
        Self { seed, duration, tally, summary, lines: Vec::new() }
    }

    /// `outcome`: what was found in a few words, or what is wrong.
    pub fn check(&mut self, check: &'static str, outcome: Result<String, String>) {
        self.lines.push(Line { check, outcome });
    }

    /// How long it took after the last fault, and what had not ended by then.
    pub fn recovered(&mut self, after: Duration, unended: &[String]) {
        let outcome = if unended.is_empty() {
            Ok(format!("all runs and messages {:.1} s after the last fault", after.as_secs_f64()))
        } else {
            Err(unended.join("; "))
        };
        self.check("ended", outcome);
        let drain = format!("SIGTERM ended each process within {:.1} s", self.tally.longest_drain.as_secs_f64());
        let ends = &self.tally.bad_ends;
        self.check("drained", if ends.is_empty() { Ok(drain) } else { Err(ends.join("; ")) });
    }

    pub fn failed(&self) -> bool {
        self.lines.iter().any(|line| line.outcome.is_err())
    }

    /// Runs by status, most important first.
    fn statuses(&self) -> String {
        let mut statuses: BTreeMap<&str, u32> = BTreeMap::new();
        for run in &self.summary.runs {
            *statuses.entry(run.detail["run"]["status"].as_str().unwrap_or("unknown")).or_default() += 1;
        }
        let each: Vec<String> = statuses.iter().map(|(status, runs)| format!("{runs} {status}")).collect();
        each.join(", ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| chaos | seed {}, {} s of faults |\n|---|---|", self.seed, self.duration.as_secs())?;
        for (fault, times) in &self.tally.faults {
            writeln!(f, "| {} | {times} |", fault.as_str())?;
        }
        writeln!(f, "| processes that ended by themselves | {} |", self.tally.ended_by_themselves)?;
        writeln!(f, "| runs | {}: {} |", self.summary.runs.len(), self.statuses())?;
        let commands: Vec<String> =
            self.summary.commands.iter().map(|(command, times)| format!("{times} {command}")).collect();
        writeln!(f, "| commands | {}; {} requests repeated |", commands.join(", "), self.summary.repeated)?;
        for Line { check, outcome } in &self.lines {
            match outcome {
                Ok(found) => writeln!(f, "| {check} | ok: {found} |")?,
                Err(wrong) => writeln!(f, "| {check} | FAILED: {} |", wrong.replace('\n', " / "))?,
            }
        }
        Ok(())
    }
}
