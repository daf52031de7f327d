//! Automations, the pure part: whether conditions hold, when a schedule is due, and what is wrong with a definition.

pub mod check;
pub mod condition;
pub mod schedule;
