//! The counts of a block, and the two equations that hold for them.

use serde::{Deserialize, Serialize};

/// Numbers of leads of a block, or sums over blocks. `processed = success + no_match + failed` and `input = processed + skipped`;
/// `output = success + no_match + skipped`: failed leads leave the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub input: u64,
    pub success: u64,
    pub no_match: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Counts {
    pub const fn processed(&self) -> u64 {
        self.success + self.no_match + self.failed
    }

    pub const fn output(&self) -> u64 {
        self.success + self.no_match + self.skipped
    }

    /// Whether every input lead is accounted for.
    pub const fn balanced(&self) -> bool {
        self.input == self.processed() + self.skipped
    }

    /// Success over processed in percent with one decimal, in tenths (834 = 83.4 %); 0 when nothing was processed.
    pub const fn hit_rate_tenths(&self) -> u64 {
        let processed = self.processed();
        match (self.success * 1000 + processed / 2).checked_div(processed) {
            Some(tenths) => tenths,
            None => 0,
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.success += other.success;
        self.no_match += other.no_match;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}
