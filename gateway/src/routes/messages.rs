//! /api/messages: queued text messages, and a person's yes or no to each.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{
    book::sms_queue::review::{self, Decided, Decision, Filter},
    sender::waiting,
};
use luci_schema::MessageId;
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    serve,
};

const STATUSES: &[&str] = &["draft", "approved", "pending", "processing", "sent", "failed", "rejected", "cancelled"];

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApproveBody {
    /// Other words to send; opt-out wording is added where they have none.
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoBody {}

pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let limit = ask.limit(50, 200)?;
    let status = ask.query("status");
    if status.as_ref().is_some_and(|status| !STATUSES.contains(&status.as_str())) {
        return Err(Problem::invalid("status", format!("one of {}", STATUSES.join(", "))));
    }
    let filter = Filter { status, run: ask.query_as("runId")?, before: ask.query_as::<MessageId>("cursor")? };
    let mut c = app.engine_pool.acquire().await?;
    let mut found = review::list(&mut c, caller.tenant, &filter, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|message| message.message_id);
    waiting::tell(&mut c, caller.tenant, &app.options.senders, &app.vault, &mut found).await?;
    Ok(serve::json(StatusCode::OK, &json!({"messages": found, "hasMore": more, "nextCursor": next})))
}

pub async fn approve(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<ApproveBody>().await?;
    decide(app, caller, ask, (Decision::Approve(body.body), "approved"), digest).await
}

pub async fn reject(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (NoBody {}, digest) = ask.json().await?;
    decide(app, caller, ask, (Decision::Reject, "rejected"), digest).await
}

async fn decide(
    app: Arc<App>,
    caller: Caller,
    ask: Ask,
    (decision, status): (Decision, &str),
    digest: luci_schema::Hash,
) -> Answer {
    let id: MessageId = ask.id(0, "message")?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"messageId": id, "status": status});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let decided = review::decide(&mut tx, caller.tenant, &app.log, (id, &decision), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    match decided {
        Decided::Now(position) => Ok(idempotency::accepted(&outcome, position)),
        Decided::Before => Ok(idempotency::accepted(&outcome, app.log.head())),
        Decided::TooLate(status) => {
            let detail = format!("The message is {status}.");
            Err(Problem::new(StatusCode::CONFLICT, "conflict", "The message is past that")
                .detail(detail)
                .with("messageStatus", status))
        }
    }
}
