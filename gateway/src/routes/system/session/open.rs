//! `POST /api/session`: opens a session for a key.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use luci_config::{keys, secret, sessions};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::{
    App,
    caller::{COOKIE, Caller},
    problem::Problem,
    reply,
    request::Request,
    routes::{HandlerResult, system::session::get},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenBody {
    key: String,
}

pub async fn handle(app: Arc<App>, mut request: Request) -> HandlerResult {
    let (body, _) = request.json::<OpenBody>().await?;
    let mut c = app.engine_pool.acquire().await?;
    let hash = secret::digest(body.key.trim());
    let holder = keys::holder(&mut c, &hash).await?.ok_or_else(Problem::unauthorized)?;
    let (cookie, expires_at) = sessions::open(&mut c, &holder).await?;
    drop(c);
    let secure = if app.options.tls { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        cookie.expose_secret(),
        sessions::LIFETIME.as_secs()
    );
    let mut body = get::view(&app, &Caller::of_key(holder, hash)).await?;
    body["expiresAt"] = expires_at.rfc3339().into();
    let mut response = reply::json(StatusCode::CREATED, &body);
    let mut cookie = HeaderValue::from_str(&cookie).map_err(|error| Problem::internal(&error))?;
    cookie.set_sensitive(true);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}
