//! `POST /api/unread-webhooks/{webhookId}/resolve`: a person has dealt with the delivery.

use std::sync::Arc;

use luci_config::change::{Change, record};
use luci_messaging::store::webhook_events::{self, Resolved};
use luci_schema::{ConfigEvent, StreamId, Version, WebhookId, event::WebhookResolved};
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResolveBody {
    /// What was done.
    #[serde(default)]
    note: String,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let id: WebhookId = request.id(0, "webhook")?;
    let (body, digest) = request.json::<ResolveBody>().await?;
    if body.note.chars().count() > 1_000 {
        return Err(Problem::invalid("note", "at most 1000 characters").into());
    }
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"webhookId": id, "status": "resolved"});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let stream = StreamId::from(id);
    // Read before the transaction: a conflict with another resolution is one of the cases below.
    let head = app.log.stream_head(caller.tenant, stream).await?;
    let mut tx = app.engine_pool.begin().await?;
    let author = by.actor.to_string();
    let position = match webhook_events::resolve(&mut tx, caller.tenant, id, (&author, body.note.trim())).await? {
        Resolved::Absent => return Err(Problem::not_found("webhook").into()),
        Resolved::Before => app.log.head(),
        Resolved::Now => {
            let version = head.map_or(Version(0), |(version, _)| version);
            let events = vec![ConfigEvent::WebhookResolved(WebhookResolved { webhook_id: id }).into()];
            let change = Change::after(stream, version, events).with_receipt(receipt);
            record(&app.log, &mut tx, caller.tenant, change, &by).await?
        }
    };
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}
