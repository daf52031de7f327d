//! `POST /api/pipelines/{runId}/cancel`: ends the run and its blocks.

use std::sync::Arc;

use luci_runs::core::RunCommand;

use crate::{
    App,
    caller::Caller,
    request::Request,
    routes::{HandlerResult, runs::command::issue_simple},
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    issue_simple(app, caller, request, RunCommand::Cancel, "cancelled").await
}
