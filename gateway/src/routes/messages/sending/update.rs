//! `POST /api/sending`: changes the send settings.

use std::sync::Arc;

use luci_messaging::store::send_settings;
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

/// Absent fields are left unchanged.
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
    weekly_per_number: Option<u32>,
    monthly_per_number: Option<u32>,
    holidays: Option<Vec<String>>,
    federal_holidays: Option<bool>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<SendingBody>().await?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let mut tx = app.engine_pool.begin().await?;
    let mut settings = send_settings::settings(&mut tx, caller.tenant).await?;
    change(&mut settings, body);
    let outcome = json!({"settings": settings});
    let (by, receipt) = (command.by(&caller), command.receipt(digest, &outcome));
    let position = send_settings::update(&mut tx, caller.tenant, &app.log, &settings, &by, receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome, position))
}

fn change(settings: &mut send_settings::SendSettings, body: SendingBody) {
    let set = |setting: &mut String, value: Option<String>| *setting = value.unwrap_or_else(|| setting.clone());
    set(&mut settings.window_from, body.window_from);
    set(&mut settings.window_to, body.window_to);
    set(&mut settings.time_zone, body.time_zone);
    settings.days = body.days.unwrap_or_else(|| settings.days.clone());
    settings.daily_limit = body.daily_limit.unwrap_or(settings.daily_limit);
    settings.hourly_limit = body.hourly_limit.unwrap_or(settings.hourly_limit);
    settings.weekly_per_number = body.weekly_per_number.unwrap_or(settings.weekly_per_number);
    settings.monthly_per_number = body.monthly_per_number.unwrap_or(settings.monthly_per_number);
    settings.federal_holidays = body.federal_holidays.unwrap_or(settings.federal_holidays);
    if let Some(holidays) = body.holidays {
        settings.holidays = holidays;
    }
    settings.pause_ms = body.pause_ms.unwrap_or(settings.pause_ms);
    if let Some(url) = body.voice_url {
        // Empty: automatic calls are turned off.
        settings.voice_url = Some(url).filter(|url| !url.is_empty());
    }
}
