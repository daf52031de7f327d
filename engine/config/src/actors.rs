//! Table `actors`: people and systems that act for a tenant.

use luci_schema::{ActorId, ConfigEvent, Event, TenantId, event::ActorCreated};
use sqlx::PgConnection;

use crate::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    Person,
    System,
}

impl ActorKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::System => "system",
        }
    }
}

/// Inserts an actor; returns the event that the caller appends to the tenant's stream.
pub async fn insert(
    c: &mut PgConnection,
    tenant: TenantId,
    kind: ActorKind,
    name: &str,
    role: Role,
) -> Result<(ActorId, Event), sqlx::Error> {
    let id = ActorId::generate();
    sqlx::query("insert into actors (tenant_id, id, kind, name, role) values ($1, $2, $3, $4, $5)")
        .bind(tenant)
        .bind(id)
        .bind(kind.as_str())
        .bind(name)
        .bind(role.as_str())
        .execute(c)
        .await?;
    let created = ActorCreated { actor_id: id, kind: kind.as_str().into(), role: role.as_str().into() };
    Ok((id, ConfigEvent::ActorCreated(created).into()))
}

/// The tenant's oldest actor of a kind: its owner, or its system actor.
pub async fn first(c: &mut PgConnection, tenant: TenantId, kind: ActorKind) -> Result<Option<ActorId>, sqlx::Error> {
    sqlx::query_scalar("select id from actors where tenant_id = $1 and kind = $2 order by id limit 1")
        .bind(tenant)
        .bind(kind.as_str())
        .fetch_optional(c)
        .await
}
