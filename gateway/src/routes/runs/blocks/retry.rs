//! `POST /api/pipelines/{runId}/blocks/{blockId}/retry`: retries the failed leads of a block.

use std::sync::Arc;

use luci_runs::core::RunCommand;

use crate::{
    App,
    caller::Caller,
    request::Request,
    routes::{
        HandlerResult,
        runs::{command::issue_for_block, earlier_run},
    },
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    earlier_run::check_retried(&app, &caller, request.id(0, "run")?, Some(request.id(1, "block")?)).await?;
    issue_for_block(app, caller, request, RunCommand::RetryBlock, "pending").await
}
