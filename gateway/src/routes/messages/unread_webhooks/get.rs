//! `GET /api/unread-webhooks/{webhookId}`: one delivery with its body.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::{store::webhook_events, webhooks};
use luci_schema::WebhookId;
use luci_storage::StorageError;
use serde_json::json;

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

/// Characters of the body in the answer.
const MAX_BODY: usize = 20_000;

/// `body` is text, with U+FFFD for what is no UTF-8; null where the object has expired. A body that is not the recorded one is an
/// error.
pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: WebhookId = request.id(0, "webhook")?;
    let mut c = app.engine_pool.acquire().await?;
    let found = webhook_events::get_unread(&mut c, caller.tenant, id).await?;
    drop(c);
    let delivery = found.ok_or_else(|| Problem::not_found("webhook"))?;
    let body = match app.storage.get(&delivery.object_path).await {
        Ok(object) => Some(webhooks::verified_body(&delivery.object_path, &object, &delivery.digest())?),
        Err(StorageError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let text = body.map(|body| String::from_utf8_lossy(&body).chars().take(MAX_BODY).collect::<String>());
    Ok(reply::json(StatusCode::OK, &json!({"delivery": delivery, "body": text})))
}
