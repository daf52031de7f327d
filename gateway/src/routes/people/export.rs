//! `GET /api/people/export`: all that is stored of one person.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use luci_stages::erasure;

use super::{named, problem};
use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let (lead, phone, email) = (request.query("leadId"), request.query("phone"), request.query("email"));
    let named = named(lead.as_deref(), phone.as_deref(), email.as_deref())?;
    let found = erasure::export(&app.engine_pool, &app.storage, caller.tenant, &named).await.map_err(problem)?;
    let mut response = reply::json(StatusCode::OK, &found);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
