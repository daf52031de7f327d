//! Table `send_settings`: a tenant's send window and limits.

use jiff::civil::{Date, Time};
use luci_config::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use luci_schema::{
    ConfigEvent, Event, Micros, Position, TenantId,
    event::SendingUpdated,
    log::{Log, NewReceipt},
};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use crate::rules::send_window::{self, SendWindow};

/// The tenant's own holidays at most.
const MAX_HOLIDAYS: usize = 100;

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
    /// IANA name of the tenant's zone: the daily limit restarts at midnight there.
    pub time_zone: String,
    /// Messages that one number gets in 7 days, over all campaigns.
    pub weekly_per_number: u32,
    /// In 30 days.
    pub monthly_per_number: u32,
    /// Dates of the recipient on which nothing is sent: `2026-12-24`.
    pub holidays: Vec<String>,
    /// Whether the holidays of the federal government are holidays, too.
    pub federal_holidays: bool,
}

/// How many messages one number gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrequencyLimits {
    pub weekly: u32,
    pub monthly: u32,
}

impl SendSettings {
    /// The days as Postgres takes them.
    fn iso_days(&self) -> Vec<i16> {
        self.days.iter().copied().map(i16::from).collect()
    }

    /// When messages and calls may go. What the settings do not say readably is closed.
    pub fn window(&self) -> SendWindow {
        SendWindow {
            from: time(&self.window_from).unwrap_or(Time::MAX),
            to: time(&self.window_to).unwrap_or(Time::MIN),
            days: self.days.clone(),
            holidays: self.holidays.iter().filter_map(|date| date.parse().ok()).collect(),
            federal_holidays: self.federal_holidays,
        }
    }

    /// Midnight before and after a moment, in the tenant's zone.
    pub(super) fn day(&self, now: Micros) -> (Micros, Micros) {
        let in_utc = || send_window::day_of(now, "UTC");
        send_window::day_of(now, &self.time_zone).or_else(in_utc).unwrap_or((now, now))
    }

    pub const fn frequency(&self) -> FrequencyLimits {
        FrequencyLimits { weekly: self.weekly_per_number, monthly: self.monthly_per_number }
    }
}

/// The tenant's settings, with defaults for what it has not set.
pub async fn settings(c: &mut PgConnection, tenant: TenantId) -> Result<SendSettings, AdminError> {
    let row = sqlx::query(
        "select coalesce(to_char(s.window_from, 'HH24:MI'), '09:00'), coalesce(to_char(s.window_to, 'HH24:MI'), '17:00'),
                coalesce(s.days, '{1,2,3,4,5}'), coalesce(s.daily_limit, 2000), coalesce(s.hourly_limit, 500),
                coalesce(s.pause_ms, 100), s.voice_url, t.time_zone, coalesce(s.weekly_per_number, 3),
                coalesce(s.monthly_per_number, 6),
                array(select to_char(day, 'YYYY-MM-DD') from unnest(s.holidays) as day order by day),
                coalesce(s.federal_holidays, false)
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
        weekly_per_number: number(8)?,
        monthly_per_number: number(9)?,
        holidays: row.try_get(10)?,
        federal_holidays: row.try_get(11)?,
    })
}

/// How many messages one number of the tenant gets.
pub async fn frequency_limits(c: &mut PgConnection, tenant: TenantId) -> Result<FrequencyLimits, sqlx::Error> {
    let set: Option<(i32, i32)> =
        sqlx::query_as("select weekly_per_number, monthly_per_number from send_settings where tenant_id = $1")
            .bind(tenant)
            .fetch_optional(c)
            .await?;
    let (weekly, monthly) = set.unwrap_or((3, 6));
    Ok(FrequencyLimits { weekly: weekly.unsigned_abs(), monthly: monthly.unsigned_abs() })
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
    check(settings)?;
    let whole = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    sqlx::query(
        "insert into send_settings (tenant_id, window_from, window_to, days, daily_limit, hourly_limit, pause_ms,
                                    voice_url, weekly_per_number, monthly_per_number, holidays, federal_holidays)
         values ($1, $2::time, $3::time, $4, $5, $6, $7, $8, $9, $10, $11::text[]::date[], $12)
         on conflict (tenant_id) do update
            set window_from = excluded.window_from, window_to = excluded.window_to, days = excluded.days,
                daily_limit = excluded.daily_limit, hourly_limit = excluded.hourly_limit,
                pause_ms = excluded.pause_ms, voice_url = excluded.voice_url,
                weekly_per_number = excluded.weekly_per_number, monthly_per_number = excluded.monthly_per_number,
                holidays = excluded.holidays, federal_holidays = excluded.federal_holidays, updated_at = now()",
    )
    .bind(tenant)
    .bind(&settings.window_from)
    .bind(&settings.window_to)
    .bind(settings.iso_days())
    .bind(whole(settings.daily_limit))
    .bind(whole(settings.hourly_limit))
    .bind(whole(settings.pause_ms))
    .bind(&settings.voice_url)
    .bind(whole(settings.weekly_per_number))
    .bind(whole(settings.monthly_per_number))
    .bind(&settings.holidays)
    .bind(settings.federal_holidays)
    .execute(&mut *c)
    .await?;
    tenants::set_time_zone(c, tenant, &settings.time_zone).await?;
    let updated = SendingUpdated {
        window: format!("{}-{}", settings.window_from, settings.window_to),
        days: settings.days.clone(),
        daily_limit: settings.daily_limit,
        hourly_limit: settings.hourly_limit,
        weekly_per_number: Some(settings.weekly_per_number),
        monthly_per_number: Some(settings.monthly_per_number),
        holidays: Some(settings.holidays.clone()),
        federal_holidays: Some(settings.federal_holidays),
        allowed_countries: Vec::new(),
    };
    append_to_tenant(c, tenant, log, ConfigEvent::SendingUpdated(updated).into(), by, receipt).await
}

fn check(settings: &SendSettings) -> Result<(), AdminError> {
    let invalid = |field, reason: &str| Err(AdminError::Invalid { field, reason: reason.into() });
    if !is_time(&settings.window_from) {
        return invalid("windowFrom", "a time like 09:00");
    }
    if !is_time(&settings.window_to) || settings.window_to <= settings.window_from {
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
    if settings.holidays.len() > MAX_HOLIDAYS || settings.holidays.iter().any(|date| !is_date(date)) {
        return invalid("holidays", "dates like 2026-12-24, at most 100");
    }
    let known = send_window::is_zone(&settings.time_zone);
    if known { Ok(()) } else { invalid("timeZone", "an IANA name like America/New_York") }
}

/// `2026-12-24`
fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<Date>().is_ok()
}

/// `HH:MM`
fn is_time(text: &str) -> bool {
    text.len() == 5 && text.is_char_boundary(2) && !text.contains(['+', '-']) && time(text).is_some()
}

fn time(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()
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
    let version = tenants::lock(c, tenant).await?;
    record(log, c, tenant, Change::after(tenant, version, vec![event]).with_receipt(receipt), by).await
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_of_day() {
        for (text, right) in [("09:00", true), ("23:59", true), ("24:00", false), ("9:00", false), ("09:60", false)] {
            assert_eq!(super::is_time(text), right, "{text}");
        }
    }
}
