//! `PUT /api/retention`: replaces the days of all domains.

use std::{collections::BTreeMap, sync::Arc};

use luci_stages::retention;
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RetentionBody {
    days: BTreeMap<String, u32>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<RetentionBody>().await?;
    retention::check(&body.days)?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome = json!({"status": "updated", "days": body.days});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let position = retention::set(&mut tx, caller.tenant, &app.log, &body.days, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}
