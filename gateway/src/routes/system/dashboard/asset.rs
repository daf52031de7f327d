//! `GET /admin/assets/{file}`: the scripts, styles and fonts of the dashboard.

use std::sync::Arc;

use super::{FOREVER, built};
use crate::{App, problem::Problem, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    let name = request.params.first().map(String::as_str).unwrap_or_default();
    // `.br` files are answers to an Accept-Encoding, not files with a name of their own.
    let named = (!name.ends_with(".br")).then(|| format!("assets/{name}"));
    Ok(named.and_then(|name| built(&app, &request, &name, FOREVER)).ok_or_else(Problem::no_route)?)
}
