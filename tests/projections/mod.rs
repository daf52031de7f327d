//! The read tables: folded exactly once, equal to a fresh fold, rebuilt without a failed read, and asked by index.

mod drift;
pub mod ground;
pub mod history;
mod list;
mod past;
mod projector;
mod rebuild;
