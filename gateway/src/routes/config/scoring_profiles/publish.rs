//! `POST /api/scoring-profiles`: publishes the next version of a scoring profile.

use std::sync::Arc;

use luci_leads::{commands::scoring_profiles::NewProfile, score::profile::Profile};
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (draft, digest) = request.json::<NewProfile>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let outcome =
        |published: &Profile| idempotency::created(json!({"name": published.name, "version": published.version}));
    let mut tx = app.engine_pool.begin().await?;
    let by = command.by(&caller);
    let receipt = |published: &Profile| command.receipt(digest, &outcome(published));
    let (published, position) =
        luci_leads::commands::scoring_profiles::publish(&mut tx, caller.tenant, &app.log, &draft, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(&published), position))
}
