//! `GET /api/sectors/{sectorId}`: one sector by id or slug, with the number of leads a run on it would read.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::{leads, sectors as store};
use luci_schema::migrate::tenant_tx;

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id_or_slug: String = request.id(0, "sector")?;
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let sector = store::get(&mut tx, caller.tenant, &id_or_slug).await?.ok_or_else(|| Problem::not_found("sector"))?;
    let mut body = super::view(&sector);
    body["leads"] = leads::count_members(&mut tx, caller.tenant, sector.id).await?.into();
    Ok(reply::json(StatusCode::OK, &body))
}
