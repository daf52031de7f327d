//! /api/session: a browser signs in with a key and keeps a cookie that scripts cannot read.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use luci_engine::admin::{keys, secret, sessions, tenants};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::{COOKIE, Caller, session_cookie},
    problem::Problem,
    serve,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    key: String,
}

/// Opens a session for a key.
pub async fn open(app: Arc<App>, mut ask: Ask) -> Answer {
    let (body, _) = ask.json::<SignIn>().await?;
    let mut c = app.engine_pool.acquire().await?;
    let holder = keys::holder(&mut c, &secret::digest(body.key.trim())).await?.ok_or_else(Problem::unauthorized)?;
    let (cookie, expires_at) = sessions::open(&mut c, &holder).await?;
    drop(c);
    let secure = if app.options.tls { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        cookie.expose_secret(),
        sessions::LIFETIME.as_secs()
    );
    let mut body = who(&app, &holder.into()).await?;
    body["expiresAt"] = expires_at.rfc3339().into();
    let mut response = serve::json(StatusCode::CREATED, &body);
    let mut cookie = HeaderValue::from_str(&cookie).map_err(|error| Problem::internal(&error))?;
    cookie.set_sensitive(true);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Who the caller is.
pub async fn get(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    Ok(serve::json(StatusCode::OK, &who(&app, &caller).await?))
}

/// Ends the session of the cookie; without one there is nothing to end.
pub async fn close(app: Arc<App>, ask: Ask) -> Answer {
    if let Some(cookie) = session_cookie(&ask.headers) {
        let mut c = app.engine_pool.acquire().await?;
        sessions::close(&mut c, &secret::digest(cookie)).await?;
        app.callers.forget();
    }
    let mut response = warp::reply::Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    let gone = HeaderValue::from_str(&gone).map_err(|error| Problem::internal(&error))?;
    response.headers_mut().insert(header::SET_COOKIE, gone);
    Ok(response)
}

async fn who(app: &App, caller: &Caller) -> Result<Value, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let tenant = tenants::get(&mut c, caller.tenant).await?;
    Ok(json!({"tenantId": caller.tenant, "tenantName": tenant.name, "actorId": caller.actor, "keyId": caller.key,
        "role": caller.role, "activeRuns": tenant.active_runs}))
}
