//! `GET /healthz`: whether this process answers.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use crate::{App, request::Request, routes::HandlerResult, serve};

pub async fn handle(_app: Arc<App>, _request: Request) -> HandlerResult {
    Ok(serve::json(StatusCode::OK, &json!({"status": "ok"})))
}
