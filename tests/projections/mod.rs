//! The read tables: folded exactly once, equal to a fresh fold, rebuilt without a failed read, and queried by index.

mod costs;
mod drift;
pub mod fixture;
pub mod history;
mod list;
mod list_of_tables;
mod past;
mod projector;
mod rebuild;
mod snapshot;
mod states;
