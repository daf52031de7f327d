//! The seven stages on real rows: every lead is accounted for, and blocks are idempotent.

mod countries;
mod duplicates;
pub mod fixture;
mod integrity;
mod paid_answers;
mod providers;
mod push;
mod sources;
mod stages;
mod tables;
