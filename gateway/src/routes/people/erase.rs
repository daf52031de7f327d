//! `POST /api/erasures`: erases a person. The person is not contacted from now on; the data goes as soon as no run is active.

use std::sync::Arc;

use http::StatusCode;
use luci_stages::erasure;
use serde::Deserialize;
use serde_json::json;

use super::{named, problem};
use crate::{App, caller::Caller, idempotency, reply, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EraseBody {
    lead_id: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    /// Only says what would be removed.
    #[serde(default)]
    dry_run: bool,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<EraseBody>().await?;
    let named = named(body.lead_id.as_deref(), body.phone.as_deref(), body.email.as_deref())?;
    if body.dry_run {
        let found = erasure::preview(&app.engine_pool, &app.storage, caller.tenant, &named).await.map_err(problem)?;
        return Ok(reply::json(StatusCode::OK, &json!({"dryRun": true, "wouldRemove": found})));
    }
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let by = command.by(&caller);
    let outcome = |id| json!({"erasureId": id, "status": "pending"});
    let mut tx = app.engine_pool.begin().await?;
    let receipt = |id| command.receipt(digest, &outcome(id));
    let with = (&app.log, &*app.vault, &app.storage);
    let (id, position) = erasure::request(&mut tx, caller.tenant, with, &named, &by, receipt).await.map_err(problem)?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(id), position))
}
