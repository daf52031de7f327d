//! Routes of runs: start, list, inspect, command, compare, export.

pub mod activity;
pub mod artifacts;
pub mod blocks;
pub mod bulk;
pub mod cancel;
pub mod command;
pub mod compare;
pub mod corrected;
pub mod costs;
pub mod delete;
pub mod earlier_run;
pub mod estimate;
pub mod events;
pub mod failed_leads;
pub mod get;
pub mod list;
pub mod metrics;
pub mod orchestrate;
pub mod pause;
pub mod queue;
pub mod replay;
pub mod resume;
pub mod retry;
pub mod seal;
pub mod start;
pub mod verify;
