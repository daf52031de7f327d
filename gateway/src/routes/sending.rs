//! /api/sending: when, how much and from which numbers the tenant sends.

use std::sync::Arc;

use http::StatusCode;
use luci_engine::{admin::sending, lead::phone};
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    serve,
};

/// Fields that are absent stay as they are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SendingBody {
    window_from: Option<String>,
    window_to: Option<String>,
    days: Option<Vec<u8>>,
    daily_limit: Option<u32>,
    hourly_limit: Option<u32>,
    pause_ms: Option<u32>,
    voice_url: Option<String>,
    time_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NumberBody {
    number: String,
    provider: String,
}

pub async fn get(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut c = app.engine_pool.acquire().await?;
    let settings = sending::settings(&mut c, caller.tenant).await?;
    let numbers = sending::numbers(&mut c, caller.tenant).await?;
    Ok(serve::json(StatusCode::OK, &json!({"settings": settings, "numbers": numbers})))
}

pub async fn update(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<SendingBody>().await?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let mut tx = app.engine_pool.begin().await?;
    let mut settings = sending::settings(&mut tx, caller.tenant).await?;
    change(&mut settings, body);
    let outcome = json!({"settings": settings});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let position = sending::update(&mut tx, caller.tenant, &app.log, &settings, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}

fn change(settings: &mut sending::Settings, body: SendingBody) {
    let put = |into: &mut String, from: Option<String>| *into = from.unwrap_or_else(|| into.clone());
    put(&mut settings.window_from, body.window_from);
    put(&mut settings.window_to, body.window_to);
    put(&mut settings.time_zone, body.time_zone);
    settings.days = body.days.unwrap_or_else(|| settings.days.clone());
    settings.daily_limit = body.daily_limit.unwrap_or(settings.daily_limit);
    settings.hourly_limit = body.hourly_limit.unwrap_or(settings.hourly_limit);
    settings.pause_ms = body.pause_ms.unwrap_or(settings.pause_ms);
    if let Some(url) = body.voice_url {
        // Empty: calls are left to people again.
        settings.voice_url = Some(url).filter(|url| !url.is_empty());
    }
}

pub async fn add_number(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<NumberBody>().await?;
    let number = phone::normalise(&body.number).ok_or_else(|| Problem::invalid("number", "a US phone number"))?;
    if !["signalhouse", "twilio"].contains(&body.provider.as_str()) {
        return Err(Problem::invalid("provider", "signalhouse or twilio"));
    }
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"number": number, "provider": body.provider});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let new = (number.as_str(), body.provider.as_str());
    let position = sending::add_number(&mut tx, caller.tenant, &app.log, new, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OldNumberBody {
    number: String,
}

pub async fn remove_number(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<OldNumberBody>().await?;
    let number = phone::normalise(&body.number).ok_or_else(|| Problem::invalid("number", "a US phone number"))?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let outcome = json!({"number": number, "status": "removed"});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let mut tx = app.engine_pool.begin().await?;
    let position = sending::remove_number(&mut tx, caller.tenant, &app.log, &number, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}
