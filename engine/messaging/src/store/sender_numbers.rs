//! Table `sender_numbers`: the numbers that a tenant sends from, each at one carrier.

use luci_config::{AdminError, By};
use luci_schema::{
    ConfigEvent, Position, TenantId,
    event::{NumberChanged, NumberPaused},
    log::{Log, NewReceipt},
};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use crate::{
    rules::{carrier::Carrier, channel::Channel, party},
    store::send_settings::append_to_tenant,
};

/// A number is disabled after this many failures in a row.
const MAX_FAILURES: i32 = 5;
const MAX_LISTED: i64 = 1_000;

/// A number of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SenderNumber {
    pub number: String,
    pub provider: Carrier,
    /// After five failures in a row, or paused.
    pub disabled: bool,
    /// The carrier's code for which it was paused.
    pub paused_code: Option<String>,
}

/// The tenant's numbers in order, at most 1,000.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<SenderNumber>, AdminError> {
    let rows = sqlx::query(
        "select number, provider, disabled_at is not null, paused_code from sender_numbers where tenant_id = $1 order by number
          limit $2",
    )
    .bind(tenant)
    .bind(MAX_LISTED)
    .fetch_all(c)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        let provider = row.try_get::<&str, _>(1)?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(SenderNumber { number: row.try_get(0)?, provider, disabled: row.try_get(2)?, paused_code: row.try_get(3)? })
    };
    rows.iter().map(read).collect()
}

/// Why a number is refused: the same for one that the account does not have and for one that another tenant sends from, so that
/// nobody learns who has a number.
pub const UNAVAILABLE: &str = "the account at the carrier does not have this number, or it cannot be used here";

/// Adds a number, or enables a disabled one again. The caller has asked the carrier whether the tenant's account has it. A
/// number that another tenant sends from is `Invalid`.
pub async fn add(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (number, provider): (&str, &str),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let carrier: Carrier = provider
        .parse()
        .map_err(|_| AdminError::Invalid { field: "provider", reason: "signalhouse or twilio".into() })?;
    if party::is_service(number) && carrier != Carrier::Twilio {
        return Err(AdminError::Invalid { field: "number", reason: "messaging services are Twilio's".into() });
    }
    let done = sqlx::query(
        "insert into sender_numbers (tenant_id, number, provider) values ($1, $2, $3)
         on conflict (number) do update set provider = excluded.provider, failures = 0, disabled_at = null,
                                            paused_code = null
          where sender_numbers.tenant_id = excluded.tenant_id",
    )
    .bind(tenant)
    .bind(number)
    .bind(carrier.as_str())
    .execute(&mut *c)
    .await?;
    if done.rows_affected() == 0 {
        return Err(AdminError::Invalid { field: "number", reason: UNAVAILABLE.into() });
    }
    let changed = NumberChanged { provider: provider.into(), number: number.into() };
    append_to_tenant(c, tenant, log, ConfigEvent::NumberAdded(changed).into(), by, receipt).await
}

/// Removes a number. Webhooks for it are answered with 404 from then on.
pub async fn remove(
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
    append_to_tenant(c, tenant, log, ConfigEvent::NumberRemoved(changed).into(), by, receipt).await
}

/// The least recently used number, marked as used now. None: the tenant has no enabled number for the channel at this carrier.
pub async fn next(
    c: &mut PgConnection,
    tenant: TenantId,
    carrier: Carrier,
    channel: Channel,
) -> Result<Option<String>, sqlx::Error> {
    // Short codes and messaging services place no calls.
    sqlx::query_scalar(
        "update sender_numbers set last_used_at = clock_timestamp()
          where tenant_id = $1 and number = (select number from sender_numbers
                                              where tenant_id = $1 and provider = $2 and disabled_at is null
                                                and ($3 or number like '+%')
                                              order by last_used_at nulls first, number limit 1)
         returning number",
    )
    .bind(tenant)
    .bind(carrier.as_str())
    .bind(channel == Channel::Sms)
    .fetch_optional(c)
    .await
}

/// Counts failures in a row of a number: a success resets the count, the fifth failure disables the number.
pub async fn record_outcome(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    outcome: NumberOutcome,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sender_numbers
            set failures = case when $3 then 0 else failures + 1 end,
                disabled_at = case when not $3 and failures + 1 >= $4 then coalesce(disabled_at, now()) else disabled_at end
          where tenant_id = $1 and number = $2 and not ($3 and failures = 0)",
    )
    .bind(tenant)
    .bind(number)
    .bind(outcome == NumberOutcome::Success)
    .bind(MAX_FAILURES)
    .execute(c)
    .await?;
    Ok(())
}

/// Pauses a number that the carrier does not let send. The event to append; none where it is disabled already or unknown.
/// Adding the number again enables it.
pub async fn pause(
    c: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    code: &str,
) -> Result<Option<ConfigEvent>, sqlx::Error> {
    let provider: Option<String> = sqlx::query_scalar(
        "update sender_numbers set disabled_at = now(), paused_code = $3
          where tenant_id = $1 and number = $2 and disabled_at is null returning provider",
    )
    .bind(tenant)
    .bind(number)
    .bind(code)
    .fetch_optional(c)
    .await?;
    Ok(provider
        .map(|provider| ConfigEvent::NumberPaused(NumberPaused { provider, number: number.into(), code: code.into() })))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberOutcome {
    Success,
    Failure,
}

/// The tenant that has this number: the tenant of a webhook without a token.
pub async fn tenant_of(c: &mut PgConnection, number: &str) -> Result<Option<TenantId>, sqlx::Error> {
    sqlx::query_scalar(
        "select n.tenant_id from sender_numbers n join tenants t on t.id = n.tenant_id and t.status = 'active'
          where n.number = $1",
    )
    .bind(number)
    .fetch_optional(c)
    .await
}

/// Active tenants with a number, in the order of their ids: one page of at most `limit` after `after`.
pub async fn tenants(c: &mut PgConnection, after: Option<TenantId>, limit: u32) -> Result<Vec<TenantId>, sqlx::Error> {
    sqlx::query_scalar(
        "select t.id from tenants t
          where t.status = 'active' and ($1::text is null or t.id > $1)
            and exists (select from sender_numbers n where n.tenant_id = t.id)
          order by t.id limit $2",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await
}
