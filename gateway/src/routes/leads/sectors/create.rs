//! `POST /api/sectors`: creates a sector.

use std::sync::Arc;

use luci_leads::{
    commands::sectors::{self, NewSector},
    store::sectors as store,
};
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateBody {
    slug: Option<String>,
    name: String,
    state: Option<String>,
    #[serde(default)]
    sic_codes: Vec<String>,
    legacy_bucket_id: Option<String>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<CreateBody>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let CreateBody { slug, name, state, sic_codes, legacy_bucket_id } = body;
    let draft = NewSector { slug, name, state, sic_codes, legacy_bucket_id };
    let outcome = |created: &store::Sector| idempotency::created(json!({"sectorId": created.id, "slug": created.slug}));
    let mut tx = app.engine_pool.begin().await?;
    let by = command.by(&caller);
    let receipt = |created: &store::Sector| command.receipt(digest, &outcome(created));
    let (created, position) = sectors::create(&mut tx, caller.tenant, &app.log, draft, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(&created), position))
}
