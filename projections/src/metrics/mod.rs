//! Projection `run_metrics`: one row per run, with its figures.

use crate::fold::Projection;

mod fold;
mod query;
mod table;

pub use query::{Metrics, get};

pub(crate) const PROJECTION: Projection = Projection { table: "run_metrics", fold: || Box::new(fold::MetricsFold) };
