//! The options of a run, as flags and as the API takes them.

use clap::Args;
use serde_json::{Map, Value, json};

/// Options of a run.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Options {
    /// Reject input with more leads [default: 2000]
    #[arg(long, value_name = "N")]
    pub max_leads: Option<u64>,
    /// Leads per block, 1 to 1000 [default: 250]
    #[arg(long, value_name = "N")]
    pub block_size: Option<u32>,
    /// Pause before a block that could exceed this cost
    #[arg(long, value_name = "MICRODOLLARS")]
    pub budget_micros: Option<u64>,
    /// When a provider has no key: refuse the run, or let its leads go on without it [default: refuse]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_missing_provider: Option<OnMissingProvider>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnMissingProvider {
    Refuse,
    Skip,
}

impl Options {
    pub fn body(self) -> Value {
        let mut body = Map::new();
        if let Some(max_leads) = self.max_leads {
            body.insert("maxLeads".to_owned(), json!(max_leads));
        }
        if let Some(block_size) = self.block_size {
            body.insert("blockSize".to_owned(), json!(block_size));
        }
        if let Some(budget_micros) = self.budget_micros {
            body.insert("budgetMicros".to_owned(), json!(budget_micros));
        }
        if let Some(what) = self.on_missing_provider {
            let what = if what == OnMissingProvider::Skip { "skip" } else { "refuse" };
            body.insert("onMissingProvider".to_owned(), json!(what));
        }
        Value::Object(body)
    }
}
