//! `POST /api/scoring-profiles/{name}/activate`: makes a scoring profile the one that new runs use.

use std::sync::Arc;

use luci_leads::score::setting::ProfileRef;
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ActivateBody {
    /// Defaults to the newest.
    version: Option<u32>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let name: String = request.id(0, "scoring profile")?;
    let (body, digest) = request.json::<ActivateBody>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let reference = ProfileRef { name, version: body.version };
    let outcome = json!({"name": reference.name, "version": reference.version, "active": true});
    let mut tx = app.engine_pool.begin().await?;
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let position =
        luci_leads::commands::scoring_profiles::activate(&mut tx, caller.tenant, &app.log, &reference, &by, receipt)
            .await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}
