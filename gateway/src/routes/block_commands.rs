//! POST /api/pipelines/{runId}/blocks/{blockId}/{retry, skip}

use std::sync::Arc;

use luci_engine::run::RunCommand;

use super::{Answer, run_commands::of_block};
use crate::{App, ask::Ask, caller::Caller};

/// Sends the block's failed leads again.
pub async fn retry(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    of_block(app, caller, ask, RunCommand::RetryBlock, "pending").await
}

/// Goes on without the block's failed leads.
pub async fn skip(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    of_block(app, caller, ask, RunCommand::SkipBlock, "skipped").await
}
