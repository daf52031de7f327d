//! Routes of a run's results: every lead that came out of the last stage or failed, in one file.

mod columns;
pub mod export;
