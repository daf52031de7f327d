//! Records the decision on one message draft.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::store::sms_queue::review::{self, Decided, Decision};
use luci_schema::MessageId;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

/// `status` is that of the message after the decision.
pub async fn decide(
    app: Arc<App>,
    caller: Caller,
    request: Request,
    (decision, status): (Decision, &str),
    digest: luci_schema::Hash,
) -> HandlerResult {
    let id: MessageId = request.id(0, "message")?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"messageId": id, "status": status});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let decided = review::decide(&mut tx, caller.tenant, &app.log, (id, &decision), &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    match decided {
        Decided::Applied(position) => Ok(idempotency::accepted(&outcome, position)),
        Decided::Unchanged => Ok(idempotency::accepted(&outcome, app.log.head())),
        Decided::TooLate(status) => {
            let detail = format!("The status of the message is {status}.");
            Err(Problem::new(StatusCode::CONFLICT, "conflict", "The message was already processed")
                .detail(detail)
                .with("messageStatus", status)
                .into())
        }
    }
}
