//! GET /api/attempts: every attempt to reach a lead, from the queue to the answer.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::book::attempts::list::{self, Filter};
use luci_schema::AttemptId;
use serde_json::{Value, json};

use super::Answer;
use crate::{App, ask::Ask, caller::Caller, problem::Problem, serve};

const CHANNELS: &[&str] = &["sms", "email", "call"];
const STATUSES: &[&str] = &["queued", "sent", "delivered", "failed", "bounced", "responded", "cancelled"];

pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let limit = ask.limit(50, 200)?;
    // The dialler's older word.
    let channel = ask.query("channel").map(|channel| if channel == "dialer" { "call".to_owned() } else { channel });
    let filter = Filter {
        lead: ask.query_as("leadId")?,
        run: ask.query_as("runId")?,
        channel: word("channel", channel, CHANNELS)?,
        status: word("status", ask.query("status"), STATUSES)?,
        before: ask.query_as::<AttemptId>("cursor")?,
    };
    let mut c = app.engine_pool.acquire().await?;
    let mut found = list::list(&mut c, caller.tenant, &filter, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|(id, _)| *id);
    let shown: Vec<Value> = found.into_iter().map(|(_, attempt)| attempt).collect();
    Ok(serve::json(StatusCode::OK, &json!({"attempts": shown, "hasMore": more, "nextCursor": next})))
}

fn word(name: &str, given: Option<String>, known: &[&str]) -> Result<Option<String>, Problem> {
    match given {
        Some(text) if !known.contains(&text.as_str()) => {
            Err(Problem::invalid(name, format!("one of {}", known.join(", "))))
        }
        given => Ok(given),
    }
}
