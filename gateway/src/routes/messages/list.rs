//! `GET /api/messages`: the queued text messages of the tenant.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::{
    sender::send_wait,
    store::sms_queue::review::{self, MessageFilter},
};
use luci_schema::MessageId;
use serde_json::json;

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

const STATUSES: &[&str] = &["draft", "approved", "pending", "processing", "sent", "failed", "rejected", "cancelled"];

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(50, 200)?;
    let status = request.query("status");
    if status.as_ref().is_some_and(|status| !STATUSES.contains(&status.as_str())) {
        return Err(Problem::invalid("status", format!("one of {}", STATUSES.join(", "))).into());
    }
    let filter =
        MessageFilter { status, run: request.query_as("runId")?, before: request.query_as::<MessageId>("cursor")? };
    let mut c = app.engine_pool.acquire().await?;
    let mut found = review::list(&mut c, caller.tenant, &filter, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|message| message.message_id);
    send_wait::explain(&mut c, caller.tenant, &app.options.senders, &app.vault, &mut found).await?;
    Ok(reply::json(StatusCode::OK, &json!({"messages": found, "hasMore": more, "nextCursor": next})))
}
