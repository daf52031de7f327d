//! `GET /api/attempts`: every attempt to reach a lead, with its outcome.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::store::attempts::list::{self, AttemptFilter};
use luci_schema::AttemptId;
use serde_json::{Value, json};

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

const CHANNELS: &[&str] = &["sms", "email", "call"];

const STATUSES: &[&str] = &["queued", "sent", "delivered", "failed", "bounced", "responded", "cancelled"];

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(50, 200)?;
    // The old name of the channel.
    let channel = request.query("channel").map(|channel| if channel == "dialer" { "call".to_owned() } else { channel });
    let filter = AttemptFilter {
        lead: request.query_as("leadId")?,
        run: request.query_as("runId")?,
        channel: one_of("channel", channel, CHANNELS)?,
        status: one_of("status", request.query("status"), STATUSES)?,
        before: request.query_as::<AttemptId>("cursor")?,
    };
    let mut c = app.engine_pool.acquire().await?;
    let mut found = list::list(&mut c, caller.tenant, &filter, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|(id, _)| *id);
    let attempts: Vec<Value> = found.into_iter().map(|(_, attempt)| attempt).collect();
    Ok(reply::json(StatusCode::OK, &json!({"attempts": attempts, "hasMore": more, "nextCursor": next})))
}

fn one_of(name: &str, value: Option<String>, allowed: &[&str]) -> Result<Option<String>, Problem> {
    match value {
        Some(text) if !allowed.contains(&text.as_str()) => {
            Err(Problem::invalid(name, format!("one of {}", allowed.join(", "))))
        }
        value => Ok(value),
    }
}
