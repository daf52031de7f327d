//! Table `automations`: the current definitions. Each change is an event of the automation's stream.

pub mod check;
pub mod condition;
pub mod schedule;

use futures::future::BoxFuture;
use luci_schema::{
    AutomationId, ConfigEvent, Position, SectorId, TenantId, Version,
    event::{
        AutomationCreated, AutomationDisabled, AutomationEnabled, AutomationRemoved, AutomationSpec, AutomationUpdated,
        CatchUp, Overlap, Trigger,
    },
    log::{Log, NewReceipt},
};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};

use crate::{
    AdminError, By, blueprints,
    change::{Change, record},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Automation {
    pub automation_id: AutomationId,
    pub enabled: bool,
    #[serde(flatten)]
    pub spec: AutomationSpec,
}

/// Whether the tenant has a sector. Passed in by the caller: leads know the sectors.
pub type FindSector = fn(&mut PgConnection, TenantId, SectorId) -> BoxFuture<'_, Result<bool, sqlx::Error>>;

/// A change of one automation.
#[derive(Debug, Clone)]
pub enum AutomationChange {
    Update(Box<AutomationSpec>),
    Enable,
    Disable,
    Remove,
}

/// Creates one, disabled.
pub async fn create(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (spec, sectors): (AutomationSpec, FindSector),
    by: &By,
    receipt: impl FnOnce(AutomationId) -> Option<NewReceipt>,
) -> Result<(AutomationId, Position), AdminError> {
    check(c, tenant, &spec, sectors).await?;
    let id = AutomationId::generate();
    write(c, tenant, id, &spec).await?;
    let event = ConfigEvent::AutomationCreated(Box::new(AutomationCreated { automation_id: id, spec }));
    let change = Change::first(id, vec![event.into()]).with_receipt(receipt(id));
    Ok((id, record(log, c, tenant, change, by).await?))
}

/// Changes one. `None`: nothing to change, nothing is appended.
pub async fn change(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    (id, change, sectors): (AutomationId, AutomationChange, FindSector),
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Option<Position>, AdminError> {
    let current = get(c, tenant, id).await?.ok_or(AdminError::NotFound("automation"))?;
    let event = match change {
        AutomationChange::Update(spec) if *spec == current.spec => return Ok(None),
        AutomationChange::Update(spec) => {
            check(c, tenant, &spec, sectors).await?;
            write(c, tenant, id, &spec).await?;
            ConfigEvent::AutomationUpdated(Box::new(AutomationUpdated { automation_id: id, spec: *spec }))
        }
        AutomationChange::Enable if current.enabled => return Ok(None),
        AutomationChange::Enable => {
            set_enabled(c, tenant, id, Enabled::Yes).await?;
            ConfigEvent::AutomationEnabled(AutomationEnabled { automation_id: id })
        }
        AutomationChange::Disable if !current.enabled => return Ok(None),
        AutomationChange::Disable => {
            set_enabled(c, tenant, id, Enabled::No).await?;
            ConfigEvent::AutomationDisabled(AutomationDisabled { automation_id: id })
        }
        AutomationChange::Remove => {
            set_enabled(c, tenant, id, Enabled::Removed).await?;
            ConfigEvent::AutomationRemoved(AutomationRemoved { automation_id: id })
        }
    };
    let head = luci_schema::log::stream_head(c, tenant, id.into()).await.map_err(AdminError::Log)?;
    let expected = head.map_or(Version(0), |(version, _)| version);
    let change = Change::after(id, expected, vec![event.into()]).with_receipt(receipt);
    record(log, c, tenant, change, by).await.map(Some)
}

/// Checks the definition, and that what it names exists.
async fn check(
    c: &mut PgConnection,
    tenant: TenantId,
    spec: &AutomationSpec,
    find_sector: FindSector,
) -> Result<(), AdminError> {
    let mut errors = check::errors(spec);
    if blueprints::active(c, tenant, spec.blueprint_id).await?.is_none() {
        errors.push(("blueprintId".into(), "no blueprint has this id, or it is archived".into()));
    }
    if let Some(sector) = spec.sector_id
        && !find_sector(c, tenant, sector).await?
    {
        errors.push(("sectorId".into(), "no sector has this id".into()));
    }
    if errors.is_empty() { Ok(()) } else { Err(AdminError::Fields(errors)) }
}

async fn write(
    c: &mut PgConnection,
    tenant: TenantId,
    id: AutomationId,
    spec: &AutomationSpec,
) -> Result<(), sqlx::Error> {
    let (kind, cron, zone, overlap, catch_up) = columns(&spec.trigger);
    sqlx::query(
        "insert into automations (tenant_id, id, name, trigger, blueprint_id, cron, time_zone, overlap, catch_up, spec)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (tenant_id, id) do update set name = excluded.name, trigger = excluded.trigger,
           blueprint_id = excluded.blueprint_id, cron = excluded.cron, time_zone = excluded.time_zone,
           overlap = excluded.overlap, catch_up = excluded.catch_up, spec = excluded.spec,
           version = automations.version + 1, updated_at = now()",
    )
    .bind(tenant)
    .bind(id)
    .bind(spec.name.trim())
    .bind(kind)
    .bind(spec.blueprint_id)
    .bind(cron)
    .bind(zone)
    .bind(overlap)
    .bind(catch_up)
    .bind(Json(spec))
    .execute(c)
    .await?;
    Ok(())
}

type Columns<'a> = (&'static str, Option<&'a str>, &'a str, &'static str, &'static str);

/// Trigger, cron, time zone, overlap and catch-up.
fn columns(trigger: &Trigger) -> Columns<'_> {
    match trigger {
        Trigger::LeadCreated { .. } => ("lead_created", None, "UTC", "skip", "last"),
        Trigger::MessageReceived { .. } => ("message_received", None, "UTC", "skip", "last"),
        Trigger::Webhook { .. } => ("webhook", None, "UTC", "skip", "last"),
        Trigger::Schedule { cron, time_zone, overlap, catch_up, .. } => {
            let overlap = match overlap {
                Overlap::Skip => "skip",
                Overlap::Queue => "queue",
                Overlap::Allow => "allow",
            };
            let catch_up = match catch_up {
                CatchUp::None => "none",
                CatchUp::Last => "last",
                CatchUp::All => "all",
            };
            ("schedule", Some(cron.as_str()), time_zone.as_str(), overlap, catch_up)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Enabled {
    Yes,
    No,
    Removed,
}

async fn set_enabled(c: &mut PgConnection, tenant: TenantId, id: AutomationId, to: Enabled) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update automations set enabled = $3, updated_at = now(),
           removed_at = case when $4 then now() else removed_at end
          where tenant_id = $1 and id = $2",
    )
    .bind(tenant)
    .bind(id)
    .bind(to == Enabled::Yes)
    .bind(to == Enabled::Removed)
    .execute(c)
    .await?;
    Ok(())
}

/// One that is not removed.
pub async fn get(c: &mut PgConnection, tenant: TenantId, id: AutomationId) -> Result<Option<Automation>, AdminError> {
    let row = sqlx::query(
        "select id, enabled, spec from automations
          where tenant_id = $1 and id = $2 and removed_at is null and spec is not null",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(c)
    .await?;
    row.map(|row| read(&row)).transpose()
}

/// The tenant's automations, the newest first, at most 500.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<Automation>, AdminError> {
    let rows = sqlx::query(
        "select id, enabled, spec from automations
          where tenant_id = $1 and removed_at is null and spec is not null order by id desc limit 500",
    )
    .bind(tenant)
    .fetch_all(c)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Automation, AdminError> {
    Ok(Automation {
        automation_id: row.try_get(0)?,
        enabled: row.try_get(1)?,
        spec: row.try_get::<Json<AutomationSpec>, _>(2)?.0,
    })
}
