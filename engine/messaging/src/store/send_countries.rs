//! Table `send_countries`: the countries whose numbers a tenant contacts.

use luci_config::{AdminError, By};
use luci_leads::normalise::phone::Country;
use luci_schema::{
    ConfigEvent, Position, TenantId,
    event::SendingUpdated,
    log::{Log, NewReceipt},
};
use sqlx::PgConnection;

use crate::store::send_settings;

/// Of a tenant that has set none.
const DEFAULT: [Country; 2] = [Country::US, Country::CA];
const MAX_COUNTRIES: usize = 250;

/// The countries that the tenant contacts. A number of another country stays on its lead and can be suppressed.
pub async fn allowed(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<Country>, sqlx::Error> {
    let stored: Option<Vec<String>> = sqlx::query_scalar("select countries from send_countries where tenant_id = $1")
        .bind(tenant)
        .fetch_optional(c)
        .await?;
    Ok(stored.map_or_else(|| DEFAULT.to_vec(), |codes| codes.iter().filter_map(|code| code.parse().ok()).collect()))
}

/// Replaces the countries and appends the event, inside the caller's transaction.
pub async fn update(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    countries: &[Country],
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    if countries.len() > MAX_COUNTRIES {
        return Err(AdminError::Invalid { field: "countries", reason: format!("at most {MAX_COUNTRIES} countries") });
    }
    let codes: Vec<String> = countries.iter().map(Country::to_string).collect();
    sqlx::query(
        "insert into send_countries (tenant_id, countries) values ($1, $2)
         on conflict (tenant_id) do update set countries = excluded.countries, updated_at = now()",
    )
    .bind(tenant)
    .bind(&codes)
    .execute(&mut *c)
    .await?;
    let settings = send_settings::settings(c, tenant).await?;
    let updated = SendingUpdated {
        window: format!("{}-{}", settings.window_from, settings.window_to),
        days: settings.days,
        daily_limit: settings.daily_limit,
        hourly_limit: settings.hourly_limit,
        weekly_per_number: None,
        monthly_per_number: None,
        holidays: None,
        federal_holidays: None,
        allowed_countries: codes,
    };
    send_settings::append_to_tenant(c, tenant, log, ConfigEvent::SendingUpdated(updated).into(), by, receipt).await
}
