//! Table `tenants`: founding one, and its settings.

use luci_schema::{ActorId, ConfigEvent, Event, Micros, Position, TenantId, Version, event::TenantCreated, log::Log};
use serde::Serialize;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use super::{
    AdminError, By, Role,
    actors::{self, ActorKind},
    blueprints,
    change::{Change, record},
    keys::{self, IssuedKey, NewKey},
    sectors,
};
use crate::book;

/// A tenant that was just made, with the key of its owner.
#[derive(Debug)]
pub struct Founded {
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

/// Makes a tenant, its owner, its system actor, the default sectors, the system blueprint and the owner's key, all or nothing.
/// A slug that is taken is an error; `slug` is words of a-z, 0-9 and `-`.
pub async fn found(log: &Log, name: &str, slug: &str) -> Result<Founded, AdminError> {
    let mut tx = log.pool().begin().await?;
    let tenant = TenantId::generate();
    let by = By::system();
    insert(&mut tx, tenant, name, slug).await?;
    let (system, system_made) = actors::insert(&mut tx, tenant, ActorKind::System, "LUCI", Role::Owner).await?;
    let (owner, owner_made) = actors::insert(&mut tx, tenant, ActorKind::Person, "Owner", Role::Owner).await?;
    let created = TenantCreated { name: name.into(), slug: slug.into() };
    let added = book::sectors::create_missing(&mut tx, tenant, &book::default_sectors::all()).await?;
    let seeded = sectors::seeded(added).into();
    let events: Vec<Event> = vec![ConfigEvent::TenantCreated(created).into(), system_made, owner_made, seeded];
    record(log, &mut tx, tenant, Change::first(tenant, events), &by).await?;
    blueprints::publish_system(&mut tx, tenant, log, &by).await?;
    let new = NewKey { actor: owner, name: "owner".into(), role: Role::Owner, scopes: vec![], expires_at: None };
    let key = keys::create(&mut tx, tenant, log, &new, &by, |_| None).await?;
    tx.commit().await?;
    log.wake();
    Ok(Founded { tenant, owner, system, position: key.position, key })
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

/// A slug out of a name: `Acme, Inc.` → `acme-inc`.
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

/// Holds the tenant until the caller's transaction ends, so that changes of its settings come one after another. Answers
/// the version of its stream, which the next change follows.
pub async fn hold(c: &mut PgConnection, tenant: TenantId, log: &Log) -> Result<Version, AdminError> {
    let held = sqlx::query("select from tenants where id = $1 for update").bind(tenant).fetch_optional(c).await?;
    held.ok_or(AdminError::NotFound("tenant"))?;
    let head = log.stream_head(tenant, tenant.into()).await.map_err(AdminError::Log)?;
    Ok(head.map_or(Version(0), |(version, _)| version))
}

/// Sets the zone in which the tenant's days begin; the caller knows that it exists.
pub(super) async fn set_time_zone(c: &mut PgConnection, tenant: TenantId, zone: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update tenants set time_zone = $2, updated_at = now() where id = $1 and time_zone <> $2")
        .bind(tenant)
        .bind(zone)
        .execute(c)
        .await?;
    Ok(())
}

/// The tenant with this slug, for the operator's commands.
pub async fn by_slug(c: &mut PgConnection, slug: &str) -> Result<Option<TenantId>, sqlx::Error> {
    sqlx::query_scalar("select id from tenants where slug = $1").bind(slug).fetch_optional(c).await
}

#[cfg(test)]
mod tests {
    use super::slug_of;

    #[test]
    fn slugs_are_words_of_the_name() {
        assert_eq!(slug_of("Acme, Inc."), "acme-inc");
        assert_eq!(slug_of("  Zürich Büro 7 "), "z-rich-b-ro-7");
        assert_eq!(slug_of("!!!"), "");
    }
}
