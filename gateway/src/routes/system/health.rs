//! `GET /healthz`: whether this process answers.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use crate::{App, reply, request::Request, routes::HandlerResult};

pub async fn handle(_app: Arc<App>, _request: Request) -> HandlerResult {
    Ok(reply::json(StatusCode::OK, &json!({"status": "ok"})))
}
