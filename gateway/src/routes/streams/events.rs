//! `GET /api/streams/{streamId}/events`: the events of any stream of the tenant as they are in the log, with their hashes.

use std::sync::Arc;

use luci_schema::StreamId;

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    request::Request,
    routes::{HandlerResult, runs::events::list},
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let stream: StreamId = request.id(0, "stream")?;
    let head = app.log.stream_head(caller.tenant, stream).await?;
    let (newest, _) = head.ok_or_else(|| Problem::not_found("stream"))?;
    list::page(&app, &caller, &request, (stream, newest)).await
}
