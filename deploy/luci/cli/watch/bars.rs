//! A run on a terminal: one bar for each stage.

use std::cell::RefCell;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Detail, Stage};

/// One bar for each stage, and a line for the run.
pub(super) struct Bars {
    all: MultiProgress,
    run: ProgressBar,
    bars: RefCell<Vec<ProgressBar>>,
}

impl Bars {
    pub fn new() -> Self {
        let all = MultiProgress::new();
        let run = all.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{elapsed:>11} {wide_msg}");
        run.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { all, run, bars: RefCell::default() }
    }

    pub fn show(&self, detail: &Detail) {
        let mut bars = self.bars.borrow_mut();
        while bars.len() < detail.stages.len() {
            let name = detail.stages[bars.len()].name.clone();
            let style = ProgressStyle::with_template("{prefix:>11} {bar:32} {msg}");
            // A bar without a length is drawn as a full one.
            let bar = self.all.add(ProgressBar::new(1));
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(name);
            bars.push(bar);
        }
        for ((bar, stage), expected) in bars.iter().zip(&detail.stages).zip(detail.expected()) {
            let done = stage.metrics.input_count;
            bar.set_length(expected.max(1));
            bar.set_position(done);
            bar.set_message(format!("{done:>8}/{expected} {}", stage.message()));
        }
        let run = &detail.run;
        let waiting = run.waiting_for.as_ref().map_or_else(String::new, |waiting| format!(", {}", waiting.message));
        self.run.set_message(format!("{}, ${:.2}{waiting}", run.status, run.cost_micros as f64 / 1e6));
        if run.ended() {
            self.run.abandon();
            bars.iter().for_each(ProgressBar::abandon);
        }
    }
}

impl Stage {
    fn message(&self) -> String {
        let total = self.total_blocks.map_or_else(|| "?".to_owned(), |total| total.to_string());
        let mut message = format!("{}/{total} blocks", self.blocks.completed);
        for (count, one) in [(self.metrics.failed_count, "lead"), (self.blocks.failed, "block")] {
            if count > 0 {
                let plural = if count == 1 { "" } else { "s" };
                message.push_str(&format!(", {count} {one}{plural} failed"));
            }
        }
        message
    }
}

impl Detail {
    /// How many leads each stage will have had in the end: all but those that have failed in a stage before it.
    fn expected(&self) -> Vec<u64> {
        let mut left = self.run.total_leads;
        let of_stage = |stage: &Stage| {
            let expected = left.max(stage.metrics.input_count);
            left = expected.saturating_sub(stage.metrics.failed_count);
            expected
        };
        self.stages.iter().map(of_stage).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stage_expects_the_leads_that_have_not_failed_before_it() {
        let stage = |name: &str, input: u64, failed: u64| {
            let metrics = json!({"inputCount": input, "successCount": input - failed, "noMatchCount": 0,
                "failedCount": failed, "skippedCount": 0});
            json!({"name": name, "outputCount": input - failed, "totalBlocks": null,
                "blocks": {"completed": 1, "failed": 0}, "metrics": metrics})
        };
        let run = json!({"runId": "run_1", "status": "running", "totalLeads": 401, "processedLeads": 1, "version": 9,
            "position": 9, "costMicros": 0, "error": null});
        let stages =
            [stage("import", 401, 0), stage("validate", 401, 1), stage("enrich", 250, 20), stage("score", 0, 0)];
        let detail: Detail = serde_json::from_value(json!({"run": run, "stages": stages})).expect("a detail");
        assert_eq!(detail.expected(), [401, 401, 400, 380]);
        assert_eq!(detail.stages[1].message(), "1/? blocks, 1 lead failed");
    }
}
