//! `GET /api/system`: version, lag, followers and providers, for the dashboard and for operators.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{Micros, clock};

use crate::{
    App,
    caller::Caller,
    reply,
    request::Request,
    routes::{HandlerResult, config::providers::list, system::readiness},
};

pub async fn handle(app: Arc<App>, caller: Caller, _request: Request) -> HandlerResult {
    let mut body = readiness::state(&app).await?;
    body["providers"] = list::view(&app, &caller).await?.into();
    body["clockSkewMs"] = (clock::skew_micros() / 1_000).into();
    body["sandbox"] = app.options.sandbox.into();
    body["version"] = env!("CARGO_PKG_VERSION").into();
    body["startedAt"] = app.started_at.rfc3339().into();
    body["uptimeMs"] = ((Micros::now().0 - app.started_at.0) / 1_000).into();
    Ok(reply::json(StatusCode::OK, &body))
}
