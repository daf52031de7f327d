//! Table `send_settings`: a tenant's send window and limits.

use luci_config::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use luci_schema::{
    ConfigEvent, Event, Position, TenantId,
    event::SendingUpdated,
    log::{Log, NewReceipt},
};
use serde::Serialize;
use sqlx::{PgConnection, Row};

/// A tenant's send window and limits. Times are `HH:MM`, local to the recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SendSettings {
    pub window_from: String,
    pub window_to: String,
    /// ISO days of the week, 1 is Monday.
    pub days: Vec<u8>,
    pub daily_limit: u32,
    pub hourly_limit: u32,
    /// Between two messages.
    pub pause_ms: u32,
    /// The TwiML address of calls; without it the sender places no calls.
    pub voice_url: Option<String>,
    /// IANA name of the tenant's zone: the daily limit restarts at midnight there, and recipients without a known zone are
    /// treated as if they were there.
    pub time_zone: String,
}

impl SendSettings {
    /// The days as Postgres takes them.
    pub(super) fn iso_days(&self) -> Vec<i16> {
        self.days.iter().copied().map(i16::from).collect()
    }
}

/// The tenant's settings, with defaults for what it has not set.
pub async fn settings(c: &mut PgConnection, tenant: TenantId) -> Result<SendSettings, AdminError> {
    let row = sqlx::query(
        "select coalesce(to_char(s.window_from, 'HH24:MI'), '09:00'), coalesce(to_char(s.window_to, 'HH24:MI'), '17:00'),
                coalesce(s.days, '{1,2,3,4,5}'), coalesce(s.daily_limit, 2000), coalesce(s.hourly_limit, 500),
                coalesce(s.pause_ms, 100), s.voice_url, t.time_zone
           from tenants t left join send_settings s on s.tenant_id = t.id where t.id = $1",
    )
    .bind(tenant)
    .fetch_optional(c)
    .await?
    .ok_or(AdminError::NotFound("tenant"))?;
    let number = |index: usize| row.try_get::<i32, _>(index).map(|n| u32::try_from(n).unwrap_or(0));
    Ok(SendSettings {
        window_from: row.try_get(0)?,
        window_to: row.try_get(1)?,
        days: row.try_get::<Vec<i16>, _>(2)?.into_iter().filter_map(|day| u8::try_from(day).ok()).collect(),
        daily_limit: number(3)?,
        hourly_limit: number(4)?,
        pause_ms: number(5)?,
        voice_url: row.try_get(6)?,
        time_zone: row.try_get(7)?,
    })
}

/// Replaces all settings and appends the event, inside the caller's transaction.
pub async fn update(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    settings: &SendSettings,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    check(c, settings).await?;
    let whole = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    sqlx::query(
        "insert into send_settings (tenant_id, window_from, window_to, days, daily_limit, hourly_limit, pause_ms,
                                    voice_url)
         values ($1, $2::time, $3::time, $4, $5, $6, $7, $8)
         on conflict (tenant_id) do update
            set window_from = excluded.window_from, window_to = excluded.window_to, days = excluded.days,
                daily_limit = excluded.daily_limit, hourly_limit = excluded.hourly_limit,
                pause_ms = excluded.pause_ms, voice_url = excluded.voice_url, updated_at = now()",
    )
    .bind(tenant)
    .bind(&settings.window_from)
    .bind(&settings.window_to)
    .bind(settings.iso_days())
    .bind(whole(settings.daily_limit))
    .bind(whole(settings.hourly_limit))
    .bind(whole(settings.pause_ms))
    .bind(&settings.voice_url)
    .execute(&mut *c)
    .await?;
    tenants::set_time_zone(c, tenant, &settings.time_zone).await?;
    let updated = SendingUpdated {
        window: format!("{}-{}", settings.window_from, settings.window_to),
        days: settings.days.clone(),
        daily_limit: settings.daily_limit,
        hourly_limit: settings.hourly_limit,
        allowed_countries: Vec::new(),
    };
    append_to_tenant(c, tenant, log, ConfigEvent::SendingUpdated(updated).into(), by, receipt).await
}

async fn check(c: &mut PgConnection, settings: &SendSettings) -> Result<(), AdminError> {
    let invalid = |field, reason: &str| Err(AdminError::Invalid { field, reason: reason.into() });
    if !clock(&settings.window_from) {
        return invalid("windowFrom", "a time like 09:00");
    }
    if !clock(&settings.window_to) || settings.window_to <= settings.window_from {
        return invalid("windowTo", "a time like 17:00, after windowFrom");
    }
    if settings.days.is_empty() || settings.days.iter().any(|day| !(1..=7).contains(day)) {
        return invalid("days", "days 1 (Monday) to 7 (Sunday), at least one");
    }
    if settings.pause_ms > 60_000 {
        return invalid("pauseMs", "0 to 60000");
    }
    let web = |text: &String| url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if settings.voice_url.as_ref().is_some_and(|text| !web(text)) {
        return invalid("voiceUrl", "an http or https address");
    }
    let known: bool = sqlx::query_scalar("select exists (select from pg_timezone_names where name = $1)")
        .bind(&settings.time_zone)
        .fetch_one(c)
        .await?;
    if known { Ok(()) } else { invalid("timeZone", "an IANA name like America/New_York") }
}

/// `HH:MM`
fn clock(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':') else { return false };
    let below = |text: &str, most: u8| text.len() == 2 && text.parse::<u8>().is_ok_and(|n| n < most);
    below(hours, 24) && below(minutes, 60)
}

/// Appends to the tenant's stream at its current version.
pub async fn append_to_tenant(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    event: Event,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let version = tenants::lock(c, tenant, log).await?;
    record(log, c, tenant, Change::after(tenant, version, vec![event]).with_receipt(receipt), by).await
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_of_day() {
        for (text, right) in [("09:00", true), ("23:59", true), ("24:00", false), ("9:00", false), ("09:60", false)] {
            assert_eq!(super::clock(text), right, "{text}");
        }
    }
}
