//! `GET /api/leads/{leadId}`: one lead, with the contacts that providers found for it.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::{contacts, leads::page};
use luci_schema::{LeadId, migrate::tenant_tx};
use serde_json::json;

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: LeadId = request.id(0, "lead")?;
    let mut tx = tenant_tx(&app.read_pool, caller.tenant).await?;
    let lead = page::get(&mut tx, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("lead"))?;
    let contacts = contacts::of_lead(&mut tx, caller.tenant, id).await?;
    let mut body = serde_json::to_value(&lead).map_err(|error| Problem::internal(&error))?;
    body["contacts"] = json!(contacts);
    Ok(reply::json(StatusCode::OK, &body))
}
