//! `POST /api/pipelines/{runId}/blocks/{blockId}/retry`: retries the failed leads of a block.

use std::sync::Arc;

use luci_runs::core::RunCommand;

use crate::{
    App,
    caller::Caller,
    request::Request,
    routes::{HandlerResult, runs::command::issue_for_block},
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    issue_for_block(app, caller, request, RunCommand::RetryBlock, "pending").await
}
