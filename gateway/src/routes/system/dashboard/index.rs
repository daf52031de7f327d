//! `GET /admin/{page}`: the dashboard. The page itself reads from its address what to show.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{REVALIDATE, built, respond};
use crate::{App, request::Request, routes::HandlerResult};

/// Shown when the binary was compiled without the dashboard.
const NOT_BUILT: &str = include_str!("../../../../dashboard/not-built.html");

pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    Ok(built(&app, &request, "index.html", REVALIDATE).unwrap_or_else(|| {
        let hash = Sha256::digest(NOT_BUILT).into();
        let kind = ("text/html; charset=utf-8", REVALIDATE, false);
        respond(&app, &request, NOT_BUILT.as_bytes().into(), &hash, kind)
    }))
}
