//! `DELETE /api/session`: closes the session of the cookie. Idempotent.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use luci_config::{secret, sessions};

use crate::{
    App,
    caller::{COOKIE, session_cookie},
    problem::Problem,
    request::Request,
    routes::HandlerResult,
};

pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    if let Some(cookie) = session_cookie(&request.headers) {
        let mut c = app.engine_pool.acquire().await?;
        sessions::close(&mut c, &secret::digest(cookie)).await?;
        app.callers.clear_cache();
    }
    let mut response = warp::reply::Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let secure = if app.options.tls { "; Secure" } else { "" };
    let expired = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{secure}");
    let expired = HeaderValue::from_str(&expired).map_err(|error| Problem::internal(&error))?;
    response.headers_mut().insert(header::SET_COOKIE, expired);
    Ok(response)
}
