//! Tables `send_settings` and `sender_numbers`: when, how much and from which numbers a tenant sends.

use luci_schema::{
    ConfigEvent, Event, Position, TenantId,
    event::{NumberChanged, SendingUpdated},
    log::{Log, NewReceipt},
};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::{
    AdminError, By,
    change::{Change, record},
    tenants,
};

/// Failures in a row that take a number out of use.
const MOST_FAILURES: i32 = 5;

/// How a tenant sends. Times are `HH:MM`, local to the recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    pub window_from: String,
    pub window_to: String,
    /// ISO days of the week, 1 is Monday.
    pub days: Vec<u8>,
    pub daily_limit: u32,
    pub hourly_limit: u32,
    /// Between two messages.
    pub pause_ms: u32,
    /// Where Twilio asks what to say in a call; without it calls are left to people.
    pub voice_url: Option<String>,
    /// The tenant's zone: limits begin anew at midnight there, and it stands in for a recipient's unknown zone.
    pub time_zone: String,
}

/// The tenant's settings, defaults where it has none of its own.
pub async fn settings(c: &mut PgConnection, tenant: TenantId) -> Result<Settings, AdminError> {
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
    Ok(Settings {
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

/// Writes all settings, with the event, inside the caller's transaction.
pub async fn update(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    settings: &Settings,
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
    .bind(settings.days.iter().copied().map(i16::from).collect::<Vec<_>>())
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
    };
    on_tenant(c, tenant, log, ConfigEvent::SendingUpdated(updated).into(), by, receipt).await
}

async fn check(c: &mut PgConnection, settings: &Settings) -> Result<(), AdminError> {
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

/// Appends to the tenant's own stream, wherever it stands.
pub async fn on_tenant(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    event: Event,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let version = tenants::hold(c, tenant, log).await?;
    record(log, c, tenant, Change::after(tenant, version, vec![event]).remembered(receipt), by).await
}

/// A number of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SenderNumber {
    pub number: String,
    pub provider: String,
    /// Taken out of use after five failures in a row.
    pub disabled: bool,
}

pub async fn numbers(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<SenderNumber>, AdminError> {
    let rows = sqlx::query(
        "select number, provider, disabled_at is not null from sender_numbers where tenant_id = $1 order by number",
    )
    .bind(tenant)
    .fetch_all(c)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(SenderNumber { number: row.try_get(0)?, provider: row.try_get(1)?, disabled: row.try_get(2)? })
    };
    rows.iter().map(read).collect()
}

/// Adds a number, or puts a disabled one back into use. One that another tenant has is taken.
pub async fn add_number(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (number, provider): (&str, &str),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let done = sqlx::query(
        "insert into sender_numbers (tenant_id, number, provider) values ($1, $2, $3)
         on conflict (number) do update set provider = excluded.provider, failures = 0, disabled_at = null
          where sender_numbers.tenant_id = excluded.tenant_id",
    )
    .bind(tenant)
    .bind(number)
    .bind(provider)
    .execute(&mut *c)
    .await?;
    if done.rows_affected() == 0 {
        return Err(AdminError::Taken { field: "number", value: number.into() });
    }
    let changed = NumberChanged { provider: provider.into(), number: number.into() };
    on_tenant(c, tenant, log, ConfigEvent::NumberAdded(changed).into(), by, receipt).await
}

/// Takes a number out of use. What arrives at it is nobody's from then on.
pub async fn remove_number(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    number: &str,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let provider: Option<String> =
        sqlx::query_scalar("delete from sender_numbers where tenant_id = $1 and number = $2 returning provider")
            .bind(tenant)
            .bind(number)
            .fetch_optional(&mut *c)
            .await?;
    let changed = NumberChanged { provider: provider.ok_or(AdminError::NotFound("number"))?, number: number.into() };
    on_tenant(c, tenant, log, ConfigEvent::NumberRemoved(changed).into(), by, receipt).await
}

/// The number that was used longest ago, noted as used now. None: the tenant has none in use at this provider.
pub async fn next_number(
    c: &mut PgConnection,
    tenant: TenantId,
    provider: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "update sender_numbers set last_used_at = clock_timestamp()
          where tenant_id = $1 and number = (select number from sender_numbers
                                              where tenant_id = $1 and provider = $2 and disabled_at is null
                                              order by last_used_at nulls first, number limit 1)
         returning number",
    )
    .bind(tenant)
    .bind(provider)
    .fetch_optional(c)
    .await
}

/// Notes how a number fared.
pub async fn fared(c: &mut PgConnection, tenant: TenantId, number: &str, well: Fared) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sender_numbers
            set failures = case when $3 then 0 else failures + 1 end,
                disabled_at = case when not $3 and failures + 1 >= $4 then coalesce(disabled_at, now()) else disabled_at end
          where tenant_id = $1 and number = $2 and not ($3 and failures = 0)",
    )
    .bind(tenant)
    .bind(number)
    .bind(well == Fared::Well)
    .bind(MOST_FAILURES)
    .execute(c)
    .await?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fared {
    Well,
    Badly,
}

/// Whose number this is. The question that finds the tenant of what arrives without a token.
pub async fn owner(c: &mut PgConnection, number: &str) -> Result<Option<TenantId>, sqlx::Error> {
    sqlx::query_scalar(
        "select n.tenant_id from sender_numbers n join tenants t on t.id = n.tenant_id and t.status = 'active'
          where n.number = $1",
    )
    .bind(number)
    .fetch_optional(c)
    .await
}

/// Tenants that may send now, in no order.
pub async fn tenants(c: &mut PgConnection) -> Result<Vec<TenantId>, sqlx::Error> {
    sqlx::query_scalar(
        "select t.id from tenants t
          where t.status = 'active' and exists (select from sender_numbers n where n.tenant_id = t.id)",
    )
    .fetch_all(c)
    .await
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
