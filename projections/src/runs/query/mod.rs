//! Queries on runs: one run, lists, costs, and figures of earlier runs for estimates.

pub mod activity;
mod answer;
pub mod costs;
mod detail;
mod filter;
mod list;
mod list_sql;
pub mod past;
mod past_run;
mod waiting;

pub use answer::{Run, RunFault, StageAnswer, StageStrip};
pub use detail::{RunDetail, as_of, get};
pub use filter::{DateField, RunFilter, RunSort, SortColumn, UnknownSort};
pub use list::{RunPage, explain, list};
pub use past_run::{PAST_RUN_FOLD, PastRun};
pub use waiting::Waiting;
