//! `GET /admin/pipelines[/{runId}]`: the page of the dashboard.

use std::sync::Arc;

use crate::{App, request::Request, routes::HandlerResult};

const INDEX: &str = include_str!("../../../../dashboard/index.html");

pub async fn handle(_app: Arc<App>, request: Request) -> HandlerResult {
    Ok(super::file(&request, INDEX, "text/html; charset=utf-8"))
}
