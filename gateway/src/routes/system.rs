//! GET /api/system: versions, lag and what is watched, for the page and for operators with a key.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::Micros;

use super::{Answer, health, providers};
use crate::{App, ask::Ask, caller::Caller, serve};

pub async fn get(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut body = health::state(&app).await?;
    body["providers"] = providers::state(&app, &caller).await?.into();
    body["version"] = env!("CARGO_PKG_VERSION").into();
    body["startedAt"] = app.started_at.rfc3339().into();
    body["uptimeMs"] = ((Micros::now().0 - app.started_at.0) / 1_000).into();
    Ok(serve::json(StatusCode::OK, &body))
}
