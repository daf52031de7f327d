//! Automations at run time: their triggers, folded from the log, and the runs that they start.

mod fold;
mod fold_triggers;
mod launch;
mod runs;
mod table;
mod trigger;
mod watched;

pub use self::runs::AutomationRuns;
