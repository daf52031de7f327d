//! Tables `blueprints` and `blueprint_states`. A published version never changes; a run pins one.

mod draft;

use luci_schema::{
    BlueprintId, ConfigEvent, Position, Stage, TenantId, Version,
    event::{BlueprintActivated, BlueprintArchived, BlueprintPublished, StageSpec},
    log::{Log, NewReceipt},
};
use serde::Serialize;
use serde_json::json;
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};

use crate::{
    AdminError, By,
    change::{Change, record},
};

pub use draft::{Activation, BlueprintDraft, CheckSettings};

/// The blueprint that every tenant has from the start.
pub const SYSTEM: &str = "luci_full";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blueprint {
    pub blueprint_id: BlueprintId,
    pub version: u32,
    /// The version that new runs use.
    pub active_version: u32,
    pub name: String,
    pub stages: Vec<StageSpec>,
    pub system: bool,
    /// No new run uses it.
    pub archived: bool,
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
        active_version: 1,
        name: SYSTEM.into(),
        stages: full_stages(),
        system: true,
        archived: false,
    };
    insert(c, tenant, log, &blueprint, by, None).await?;
    Ok(blueprint.blueprint_id)
}

/// Publishes version 1 of a new blueprint, or the next version of an existing one.
pub async fn publish(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (draft, settings): (BlueprintDraft, CheckSettings),
    by: &By,
    receipt: impl FnOnce(&Blueprint) -> Option<NewReceipt>,
) -> Result<(Blueprint, Position), AdminError> {
    draft.check(settings)?;
    let version = match draft.id {
        None => 1,
        Some(id) => changeable(c, tenant, id).await?.version + 1,
    };
    let blueprint_id = draft.id.unwrap_or_else(BlueprintId::generate);
    let name = draft.name.trim().to_owned();
    let mut blueprint = Blueprint {
        blueprint_id,
        version,
        active_version: version,
        name,
        stages: draft.stages,
        system: false,
        archived: false,
    };
    if draft.activation == Activation::OnRequest
        && let Some(kept) = newest(c, tenant, blueprint_id).await?
    {
        blueprint.active_version = kept.active_version;
        blueprint.archived = kept.archived;
    }
    let position = insert(c, tenant, log, &blueprint, by, receipt(&blueprint)).await?;
    Ok((blueprint, position))
}

/// New runs use this version from now on; an archived blueprint is restored.
pub async fn activate(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (id, version): (BlueprintId, u32),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Option<Position>, AdminError> {
    let current = changeable(c, tenant, id).await?;
    if !(1..=current.version).contains(&version) {
        return Err(AdminError::Invalid { field: "version", reason: format!("1 to {}", current.version) });
    }
    if current.active_version == version && !current.archived {
        return Ok(None);
    }
    set_state(c, tenant, id, version).await?;
    let event = ConfigEvent::BlueprintActivated(BlueprintActivated { blueprint_id: id, version });
    append(c, tenant, log, id, vec![event.into()], by, receipt).await.map(Some)
}

/// Archives a blueprint: no new run uses it. Its versions stay, since runs have pinned them.
pub async fn archive(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    id: BlueprintId,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Option<Position>, AdminError> {
    if changeable(c, tenant, id).await?.archived {
        return Ok(None);
    }
    sqlx::query("update blueprint_states set archived_at = now() where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .execute(&mut *c)
        .await?;
    let event = ConfigEvent::BlueprintArchived(BlueprintArchived { blueprint_id: id });
    append(c, tenant, log, id, vec![event.into()], by, receipt).await.map(Some)
}

/// The newest version, its row locked; the system blueprint cannot be changed.
async fn changeable(c: &mut PgConnection, tenant: TenantId, id: BlueprintId) -> Result<Blueprint, AdminError> {
    sqlx::query("select 1 from blueprint_states where tenant_id = $1 and id = $2 for update")
        .bind(tenant)
        .bind(id)
        .execute(&mut *c)
        .await?;
    let current = newest(c, tenant, id).await?.ok_or(AdminError::NotFound("blueprint"))?;
    if current.system {
        return Err(AdminError::Invalid {
            field: "blueprintId",
            reason: "the system blueprint cannot be changed".into(),
        });
    }
    Ok(current)
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
    if blueprint.active_version == blueprint.version {
        set_state(c, tenant, blueprint.blueprint_id, blueprint.version).await?;
    }
    let published = BlueprintPublished {
        blueprint_id: blueprint.blueprint_id,
        name: blueprint.name.clone(),
        version: blueprint.version,
        stages: blueprint.stages.clone(),
    };
    let mut events = vec![ConfigEvent::BlueprintPublished(published).into()];
    if blueprint.version > 1 && blueprint.active_version == blueprint.version {
        let (blueprint_id, version) = (blueprint.blueprint_id, blueprint.version);
        events.push(ConfigEvent::BlueprintActivated(BlueprintActivated { blueprint_id, version }).into());
    }
    append(c, tenant, log, blueprint.blueprint_id, events, by, receipt).await
}

async fn append(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    id: BlueprintId,
    events: Vec<luci_schema::Event>,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let head = luci_schema::log::stream_head(c, tenant, id.into()).await.map_err(AdminError::Log)?;
    let expected = head.map_or(Version(0), |(version, _)| version);
    record(log, c, tenant, Change::after(id, expected, events).with_receipt(receipt), by).await
}

/// Sets the version that new runs use; an archived blueprint is restored.
async fn set_state(c: &mut PgConnection, tenant: TenantId, id: BlueprintId, active: u32) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into blueprint_states (tenant_id, id, active_version) values ($1, $2, $3)
         on conflict (tenant_id, id) do update set active_version = excluded.active_version, archived_at = null",
    )
    .bind(tenant)
    .bind(id)
    .bind(i32::try_from(active).unwrap_or(i32::MAX))
    .execute(c)
    .await?;
    Ok(())
}

/// The newest version of a blueprint.
pub async fn newest(c: &mut PgConnection, tenant: TenantId, id: BlueprintId) -> Result<Option<Blueprint>, AdminError> {
    Ok(versions(c, tenant, id).await?.into_iter().next())
}

/// Every version of a blueprint, the newest first, at most 500.
pub async fn versions(c: &mut PgConnection, tenant: TenantId, id: BlueprintId) -> Result<Vec<Blueprint>, AdminError> {
    let rows = sqlx::query(
        "select id, version, name, stages, system, active_version, s.archived_at is not null
           from blueprints join blueprint_states s using (tenant_id, id)
          where tenant_id = $1 and id = $2 order by version desc limit 500",
    )
    .bind(tenant)
    .bind(id)
    .fetch_all(c)
    .await?;
    rows.iter().map(read).collect()
}

/// The version that a new run uses; `None` for an archived blueprint.
pub async fn active(c: &mut PgConnection, tenant: TenantId, id: BlueprintId) -> Result<Option<Blueprint>, AdminError> {
    let row = sqlx::query(
        "select id, version, name, stages, system, active_version, false
           from blueprints join blueprint_states s using (tenant_id, id)
          where tenant_id = $1 and id = $2 and version = active_version and s.archived_at is null",
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
        "select id, version, name, stages, system, version, false from blueprints
          where tenant_id = $1 and name = $2 and system order by version desc limit 1",
    )
    .bind(tenant)
    .bind(SYSTEM)
    .fetch_optional(c)
    .await?;
    read(&row.ok_or(AdminError::NotFound("blueprint"))?)
}

/// The newest version of each blueprint that is not archived, by name, at most 500.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<Blueprint>, AdminError> {
    let rows = sqlx::query(
        "select distinct on (b.name, b.id) b.id, b.version, b.name, b.stages, b.system, s.active_version, false
           from blueprints b join blueprint_states s using (tenant_id, id)
          where b.tenant_id = $1 and s.archived_at is null order by b.name, b.id, b.version desc limit 500",
    )
    .bind(tenant)
    .fetch_all(c)
    .await?;
    let all: Vec<Blueprint> = rows.iter().map(read).collect::<Result<_, _>>()?;
    // A renamed blueprint is listed under the name of its newest version only.
    let newest = |blueprint: &Blueprint| {
        !all.iter().any(|other| other.blueprint_id == blueprint.blueprint_id && other.version > blueprint.version)
    };
    Ok(all.iter().filter(|blueprint| newest(blueprint)).cloned().collect())
}

fn read(row: &PgRow) -> Result<Blueprint, AdminError> {
    Ok(Blueprint {
        blueprint_id: row.try_get(0)?,
        version: u32::try_from(row.try_get::<i32, _>(1)?).unwrap_or(1),
        name: row.try_get(2)?,
        stages: row.try_get::<Json<Vec<StageSpec>>, _>(3)?.0,
        system: row.try_get(4)?,
        active_version: u32::try_from(row.try_get::<i32, _>(5)?).unwrap_or(1),
        archived: row.try_get(6)?,
    })
}
