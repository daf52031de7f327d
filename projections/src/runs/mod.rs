//! Projection `pipeline_runs`: one row per run, with the sums of its stages.

use crate::fold::Projection;

mod fold;
mod query;
mod table;

pub use query::{
    DateField, PAST_RUN_FOLD, PastRun, Run, RunDetail, RunFault, RunFilter, RunPage, RunSort, SortColumn, StageAnswer,
    StageStrip, UnknownSort, Waiting, activity, as_of, costs, explain, get, list, past,
};

pub(crate) const PROJECTION: Projection = Projection { table: "pipeline_runs", fold: || Box::new(fold::RunFold) };
