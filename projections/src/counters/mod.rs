//! Projection `run_counters`: a tenant's runs by status, so that totals need no counting. Deleted runs are not counted.

use crate::fold::Projection;

mod fold;
mod query;
mod table;

pub use query::{RunCounts, get};

pub(crate) const PROJECTION: Projection =
    Projection { table: "run_counters", fold: || Box::new(fold::CounterFold::default()) };
