//! Projection `block_executions`: one row a block, from the moment it is queued.

use crate::Projection;

mod answer;
mod fold;
mod query;
mod table;

pub use answer::{Block, BlockFault, BlockMetrics};
pub(crate) use fold::BlockRow;
pub use query::{BlockFilter, BlockPage, page};
pub(crate) use table::{notable, recent_completions};

pub(crate) const PROJECTION: Projection = Projection { table: "block_executions", fold: || Box::new(fold::BlockFold) };
