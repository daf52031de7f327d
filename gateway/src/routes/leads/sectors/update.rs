//! `PATCH /api/sectors/{sectorId}`: changes a sector.

use std::sync::Arc;

use luci_leads::{
    commands::sectors::{self, SectorChanges},
    store::sectors as store,
};
use serde::{Deserialize, Deserializer};

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateBody {
    name: Option<String>,
    /// `null` makes the sector nationwide; an absent field leaves it unchanged.
    #[serde(default, deserialize_with = "present")]
    state: Option<Option<String>>,
    sic_codes: Option<Vec<String>>,
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let id_or_slug: String = request.id(0, "sector")?;
    let (body, digest) = request.json::<UpdateBody>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let revision = SectorChanges { name: body.name, state: body.state, sic_codes: body.sic_codes };
    let mut tx = app.engine_pool.begin().await?;
    let by = command.by(&caller);
    let receipt = |changed: &store::Sector| command.receipt(digest, &super::view(changed));
    let (changed, position) =
        sectors::update(&mut tx, caller.tenant, &app.log, &id_or_slug, revision, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&super::view(&changed), position))
}
