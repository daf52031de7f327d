//! Projection `block_executions`: one row per block, from the moment it is queued.

use crate::fold::Projection;

mod fold;
mod query;
mod response;
mod table;

pub use crate::run_state::BlockFault;
pub use query::{BlockFilter, BlockPage, page};
pub use response::{Block, BlockMetrics};
pub(crate) use table::{open_and_newest, recent_completions};

pub(crate) const PROJECTION: Projection = Projection { table: "block_executions", fold: || Box::new(fold::BlockFold) };
