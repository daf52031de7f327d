//! `GET /api/templates/{templateId}`: a template with the text of every version.

use std::sync::Arc;

use http::StatusCode;
use luci_messaging::store::templates;
use luci_schema::TemplateId;
use serde_json::json;

use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: TemplateId = request.id(0, "template")?;
    let mut c = app.engine_pool.acquire().await?;
    let template = templates::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("template"))?;
    drop(c);
    let texts = templates::texts(&app.storage, &template).await?;
    Ok(reply::json(StatusCode::OK, &json!({"template": template, "versions": texts})))
}
