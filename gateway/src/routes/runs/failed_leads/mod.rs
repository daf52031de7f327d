//! Routes of the failed leads of a run.

pub mod csv_row;
pub mod export;
pub mod list;
