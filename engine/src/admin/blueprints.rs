//! Table `blueprints`: versions are published, never changed; a run pins one.

use luci_schema::{
    BlueprintId, ConfigEvent, Position, Stage, TenantId, Version,
    event::{BlueprintPublished, StageSpec},
    log::{Log, NewReceipt},
};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};

use super::{
    AdminError, By,
    change::{Change, record},
};
use crate::provider;

/// The name of the blueprint that every tenant has from the start.
pub const SYSTEM: &str = "luci_full";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blueprint {
    pub blueprint_id: BlueprintId,
    pub version: u32,
    pub name: String,
    pub stages: Vec<StageSpec>,
    pub system: bool,
}

/// The seven stages in order, without settings.
pub fn full_stages() -> Vec<StageSpec> {
    Stage::ALL.into_iter().map(|stage| StageSpec { name: stage.as_str().into(), stage, config: json!({}) }).collect()
}

/// Publishes the first version of the system blueprint.
pub(super) async fn publish_system(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    by: &By,
) -> Result<BlueprintId, AdminError> {
    let blueprint = Blueprint {
        blueprint_id: BlueprintId::generate(),
        version: 1,
        name: SYSTEM.into(),
        stages: full_stages(),
        system: true,
    };
    insert(c, tenant, log, &blueprint, by, None).await?;
    Ok(blueprint.blueprint_id)
}

/// A blueprint that is to be published.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Of the blueprint whose next version it is; `None` for a new one.
    pub id: Option<BlueprintId>,
    pub name: String,
    pub stages: Vec<StageSpec>,
}

/// Publishes a blueprint of the tenant's own: version 1 of a new one, or the next version of an old one.
/// The first stage must be IMPORT, no stage may come twice, and they keep their order.
pub async fn publish(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    draft: Draft,
    by: &By,
    receipt: impl FnOnce(&Blueprint) -> Option<NewReceipt>,
) -> Result<(Blueprint, Position), AdminError> {
    check(&draft.name, &draft.stages)?;
    let version = match draft.id {
        None => 1,
        Some(id) => {
            let current = latest(c, tenant, id).await?.ok_or(AdminError::NotFound("blueprint"))?;
            if current.system {
                return Err(AdminError::Invalid {
                    field: "blueprintId",
                    reason: "the system blueprint is fixed".into(),
                });
            }
            current.version + 1
        }
    };
    let blueprint_id = draft.id.unwrap_or_else(BlueprintId::generate);
    let name = draft.name.trim().to_owned();
    let blueprint = Blueprint { blueprint_id, version, name, stages: draft.stages, system: false };
    let position = insert(c, tenant, log, &blueprint, by, receipt(&blueprint)).await?;
    Ok((blueprint, position))
}

fn check(name: &str, stages: &[StageSpec]) -> Result<(), AdminError> {
    if name.trim().is_empty() || name.chars().count() > 200 {
        return Err(AdminError::Invalid { field: "name", reason: "1 to 200 characters".into() });
    }
    let invalid = |reason: &str| Err(AdminError::Invalid { field: "stages", reason: reason.into() });
    if stages.first().is_none_or(|first| first.stage != Stage::Import) {
        return invalid("the first stage is import");
    }
    if !stages.is_sorted_by(|a, b| a.stage < b.stage) {
        return invalid(
            "stages come once each, in the order import, validate, enrich, skip_trace, score, assign, push",
        );
    }
    if stages.iter().any(|spec| !matches!(spec.config, Value::Object(_) | Value::Null)) {
        return invalid("a stage's config is an object");
    }
    for spec in stages {
        if let Err(reason) = provider::check_stage(spec.stage, &spec.config) {
            return invalid(&reason);
        }
    }
    Ok(())
}

async fn insert(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    blueprint: &Blueprint,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    sqlx::query(
        "insert into blueprints (tenant_id, id, version, name, stages, system, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant)
    .bind(blueprint.blueprint_id)
    .bind(i32::try_from(blueprint.version).unwrap_or(i32::MAX))
    .bind(&blueprint.name)
    .bind(Json(&blueprint.stages))
    .bind(blueprint.system)
    .bind(by.actor.to_string())
    .execute(&mut *c)
    .await?;
    let published = BlueprintPublished {
        blueprint_id: blueprint.blueprint_id,
        name: blueprint.name.clone(),
        version: blueprint.version,
        stages: blueprint.stages.clone(),
    };
    let expected = Version(u64::from(blueprint.version) - 1);
    let events = vec![ConfigEvent::BlueprintPublished(published).into()];
    record(log, c, tenant, Change::after(blueprint.blueprint_id, expected, events).remembered(receipt), by).await
}

/// The newest version of a blueprint.
pub async fn latest(c: &mut PgConnection, tenant: TenantId, id: BlueprintId) -> Result<Option<Blueprint>, AdminError> {
    let row = sqlx::query(
        "select id, version, name, stages, system from blueprints
          where tenant_id = $1 and id = $2 order by version desc limit 1",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(c)
    .await?;
    row.map(|row| read(&row)).transpose()
}

/// The tenant's `luci_full`.
pub async fn system(c: &mut PgConnection, tenant: TenantId) -> Result<Blueprint, AdminError> {
    let row = sqlx::query(
        "select id, version, name, stages, system from blueprints
          where tenant_id = $1 and name = $2 and system order by version desc limit 1",
    )
    .bind(tenant)
    .bind(SYSTEM)
    .fetch_optional(c)
    .await?;
    read(&row.ok_or(AdminError::NotFound("blueprint"))?)
}

/// The newest version of each blueprint, by name, at most 500.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<Blueprint>, AdminError> {
    let rows = sqlx::query(
        "select distinct on (id) id, version, name, stages, system from blueprints
          where tenant_id = $1 and archived_at is null order by id, version desc limit 500",
    )
    .bind(tenant)
    .fetch_all(c)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Blueprint, AdminError> {
    Ok(Blueprint {
        blueprint_id: row.try_get(0)?,
        version: u32::try_from(row.try_get::<i32, _>(1)?).unwrap_or(1),
        name: row.try_get(2)?,
        stages: row.try_get::<Json<Vec<StageSpec>>, _>(3)?.0,
        system: row.try_get(4)?,
    })
}
