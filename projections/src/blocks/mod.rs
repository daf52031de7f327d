//! Projection `block_executions`: one row a block, from the moment it is queued.

use crate::fold::Projection;

mod answer;
mod fold;
mod query;
mod table;

pub use crate::run_state::BlockFault;
pub use answer::{Block, BlockMetrics};
pub use query::{BlockFilter, BlockPage, page};
pub(crate) use table::{notable, recent_completions};

pub(crate) const PROJECTION: Projection = Projection { table: "block_executions", fold: || Box::new(fold::BlockFold) };
