//! The read tables: folded exactly once, equal to a fresh fold, rebuilt without a failed read, and asked by index.

mod drift;
mod ground;
mod history;
mod list;
mod past;
mod projector;
mod rebuild;
