//! Table `tenants`: creating one, and its settings.

use futures::future::BoxFuture;
use luci_schema::{
    ActorId, ConfigEvent, Event, Micros, Position, TenantId, Version,
    event::TenantCreated,
    log::{Log, NewReceipt},
};
use serde::Serialize;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use crate::{
    AdminError, By, Role,
    actors::{self, ActorKind},
    blueprints,
    change::{Change, record},
    keys::{self, IssuedKey, NewKey},
};

/// Adds the default sectors to a new tenant in the caller's transaction. Passed in by the caller: leads know the sectors.
pub type SeedSectors = fn(&mut PgConnection, TenantId) -> BoxFuture<'_, Result<ConfigEvent, AdminError>>;

/// A new tenant, with its owner's key.
#[derive(Debug)]
pub struct NewTenant {
    pub tenant: TenantId,
    pub owner: ActorId,
    pub system: ActorId,
    pub key: IssuedKey,
    pub position: Position,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    pub tenant_id: TenantId,
    pub name: String,
    pub slug: String,
    pub active_runs: u32,
    pub time_zone: String,
    pub created_at: String,
}

/// Creates a tenant, its owner, its system actor, the default sectors, the system blueprint and the owner's key, all or
/// nothing. `slug`: words of a-z, 0-9 and `-`; a taken one is an error. `seed` adds the default sectors and returns the
/// event that says so.
pub async fn create(log: &Log, name: &str, slug: &str, seed: SeedSectors) -> Result<NewTenant, AdminError> {
    let mut tx = log.pool().begin().await?;
    let tenant = TenantId::generate();
    let by = By::system();
    insert(&mut tx, tenant, name, slug).await?;
    let (system, system_made) = actors::insert(&mut tx, tenant, ActorKind::System, "LUCI", Role::Owner).await?;
    let (owner, owner_made) = actors::insert(&mut tx, tenant, ActorKind::Person, "Owner", Role::Owner).await?;
    let created = TenantCreated { name: name.into(), slug: slug.into() };
    let seeded = seed(&mut tx, tenant).await?.into();
    let events: Vec<Event> = vec![ConfigEvent::TenantCreated(created).into(), system_made, owner_made, seeded];
    record(log, &mut tx, tenant, Change::first(tenant, events), &by).await?;
    blueprints::publish_system(&mut tx, tenant, log, &by).await?;
    let new = NewKey { actor: owner, name: "owner".into(), role: Role::Owner, scopes: vec![], expires_at: None };
    let key = keys::create(&mut tx, tenant, log, &new, &by, |_| None).await?;
    tx.commit().await?;
    log.wake();
    Ok(NewTenant { tenant, owner, system, position: key.position, key })
}

async fn insert(c: &mut PgConnection, tenant: TenantId, name: &str, slug: &str) -> Result<(), AdminError> {
    if name.trim().is_empty() || name.chars().count() > 200 {
        return Err(AdminError::Invalid { field: "name", reason: "1 to 200 characters".into() });
    }
    let inserted = sqlx::query("insert into tenants (id, name, slug) values ($1, $2, $3)")
        .bind(tenant)
        .bind(name.trim())
        .bind(slug)
        .execute(c)
        .await;
    match inserted {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(AdminError::Taken { field: "slug", value: slug.into() })
        }
        Err(sqlx::Error::Database(error)) if error.is_check_violation() => Err(AdminError::Invalid {
            field: "slug",
            reason: "1 to 63 characters of a-z, 0-9 and `-`, not starting with `-`".into(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// The slug of a name: `Acme, Inc.` → `acme-inc`.
pub fn slug_of(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-").chars().take(63).collect()
}

pub async fn get(c: &mut PgConnection, tenant: TenantId) -> Result<Tenant, AdminError> {
    let row = sqlx::query("select id, name, slug, active_runs, time_zone, created_at from tenants where id = $1")
        .bind(tenant)
        .fetch_optional(c)
        .await?
        .ok_or(AdminError::NotFound("tenant"))?;
    Ok(Tenant {
        tenant_id: row.try_get(0)?,
        name: row.try_get(1)?,
        slug: row.try_get(2)?,
        active_runs: u32::try_from(row.try_get::<i32, _>(3)?).unwrap_or(1),
        time_zone: row.try_get(4)?,
        created_at: Micros::from(row.try_get::<OffsetDateTime, _>(5)?).rfc3339(),
    })
}

/// Locks the tenant's row until the caller's transaction ends, so that changes of its settings are serialised. Returns the
/// version of its stream, which the next change expects.
pub async fn lock(c: &mut PgConnection, tenant: TenantId) -> Result<Version, AdminError> {
    let locked =
        sqlx::query("select from tenants where id = $1 for update").bind(tenant).fetch_optional(&mut *c).await?;
    locked.ok_or(AdminError::NotFound("tenant"))?;
    let head = luci_schema::log::stream_head(c, tenant, tenant.into()).await.map_err(AdminError::Log)?;
    Ok(head.map_or(Version(0), |(version, _)| version))
}

/// Stores the receipt of a command that appended no event of its own. Without a receipt: the log's head as last seen.
pub async fn store_receipt(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    if receipt.is_none() {
        return Ok(log.head());
    }
    let version = lock(c, tenant).await?;
    record(log, c, tenant, Change::after(tenant, version, Vec::new()).with_receipt(receipt), by).await
}

/// Sets the time zone of the tenant's days; the caller has checked that it exists.
pub async fn set_time_zone(c: &mut PgConnection, tenant: TenantId, zone: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update tenants set time_zone = $2, updated_at = now() where id = $1 and time_zone <> $2")
        .bind(tenant)
        .bind(zone)
        .execute(c)
        .await?;
    Ok(())
}

/// Every tenant, for operator commands.
pub async fn all(c: &mut PgConnection) -> Result<Vec<TenantId>, sqlx::Error> {
    sqlx::query_scalar("select id from tenants order by id").fetch_all(c).await
}

/// The tenant with this slug, for operator commands.
pub async fn by_slug(c: &mut PgConnection, slug: &str) -> Result<Option<TenantId>, sqlx::Error> {
    sqlx::query_scalar("select id from tenants where slug = $1").bind(slug).fetch_optional(c).await
}

#[cfg(test)]
mod tests {
    use crate::tenants::slug_of;

    #[test]
    fn slugs_are_words_of_the_name() {
        assert_eq!(slug_of("Acme, Inc."), "acme-inc");
        assert_eq!(slug_of("  Zürich Büro 7 "), "z-rich-b-ro-7");
        assert_eq!(slug_of("!!!"), "");
    }
}
