//! `GET /admin/assets/{file}`: the scripts and styles of the dashboard.

use std::sync::Arc;

use crate::{App, problem::Problem, request::Request, routes::HandlerResult};

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, content and content type of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("page.css", include_str!("../../../../dashboard/page.css"), STYLE),
    ("page.js", include_str!("../../../../dashboard/page.js"), SCRIPT),
    ("api.js", include_str!("../../../../dashboard/api.js"), SCRIPT),
    ("fold.js", include_str!("../../../../dashboard/fold.js"), SCRIPT),
    ("live.js", include_str!("../../../../dashboard/live.js"), SCRIPT),
    ("proof.js", include_str!("../../../../dashboard/proof.js"), SCRIPT),
    ("view.js", include_str!("../../../../dashboard/view.js"), SCRIPT),
];

pub async fn handle(_app: Arc<App>, request: Request) -> HandlerResult {
    let name = request.params.first().map(String::as_str).unwrap_or_default();
    let (_, text, kind) = FILES.iter().find(|(file, ..)| *file == name).ok_or_else(Problem::no_route)?;
    Ok(super::file(&request, text, kind))
}
