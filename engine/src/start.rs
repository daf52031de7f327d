//! What a run begins with: its input, blueprint, prices and limits, put together into the `run:queued` that pins them.

use luci_schema::{
    Actor, BlueprintId, ImportId, RunId, SectorId, TenantId,
    event::{Artifact, RunInput, RunOptions, RunQueued, TriggerType},
};
use sqlx::PgConnection;

use crate::{
    admin::{
        AdminError,
        blueprints::{self, Blueprint},
        new_leads, prices, scoring, tenants,
    },
    book::{imports, leads, sectors},
};

/// What is wanted of a run.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub source: Source,
    /// `None`: the system blueprint.
    pub blueprint: Option<BlueprintId>,
    /// Shown in lists; the blueprint's name when absent.
    pub pipeline_name: Option<String>,
    pub options: RunOptions,
    pub budget_micros: Option<u64>,
}

/// Where its leads come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// An upload, or what an API call brought, for a sector where one is named by its id or slug.
    Import { import: ImportId, sector: Option<String> },
    /// A sector's members; by its id or slug.
    Sector(String),
    /// What a block of an earlier run put out.
    Artifact { run: RunId, artifact: Box<Artifact> },
}

/// Who starts it.
#[derive(Debug, Clone, Copy)]
pub struct StartedBy {
    pub actor: Actor,
    pub trigger: TriggerType,
}

/// Why a run was not put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{field}: {reason}")]
    Invalid { field: &'static str, reason: String },
    #[error("the input has {leads} leads, the run takes at most {max_leads}")]
    TooManyLeads { leads: u64, max_leads: u64 },
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

fn invalid<T>(field: &'static str, reason: impl Into<String>) -> Result<T, StartError> {
    Err(StartError::Invalid { field, reason: reason.into() })
}

/// The leads of a source, looked up.
#[derive(Debug)]
pub struct Leads {
    pub input: RunInput,
    pub root_input_id: String,
    pub total: u64,
    pub sector_id: Option<SectorId>,
    pub sector_name: Option<String>,
}

/// Looks everything up that the run pins.
pub async fn queued(
    c: &mut PgConnection,
    tenant: TenantId,
    wanted: &Wanted,
    run: RunId,
    by: StartedBy,
) -> Result<RunQueued, StartError> {
    let leads = leads_of(c, tenant, &wanted.source).await?;
    if leads.total > wanted.options.max_leads {
        return Err(StartError::TooManyLeads { leads: leads.total, max_leads: wanted.options.max_leads });
    }
    let blueprint = blueprint(c, tenant, wanted.blueprint).await?;
    let mut stages = blueprint.stages;
    scoring::pin(c, tenant, &mut stages).await?;
    let prices = prices::pin(c, &stages).await?;
    let tenant = tenants::get(c, tenant).await?;
    Ok(RunQueued {
        pipeline_name: pipeline_name(wanted.pipeline_name.as_deref(), &blueprint.name)?,
        blueprint_id: blueprint.blueprint_id,
        blueprint_version: blueprint.version,
        stages,
        input: leads.input,
        root_input_id: leads.root_input_id,
        root_run_id: run,
        sector_id: leads.sector_id,
        sector_name: leads.sector_name,
        total_leads: leads.total,
        options: wanted.options.clone(),
        active_runs: tenant.active_runs,
        triggered_by: by.actor,
        trigger_type: by.trigger,
        parent_run_id: None,
        replayed_from_run_id: None,
        budget_micros: wanted.budget_micros,
        prices,
    })
}

/// The blueprint's active version, or the system blueprint.
pub async fn blueprint(
    c: &mut PgConnection,
    tenant: TenantId,
    id: Option<BlueprintId>,
) -> Result<Blueprint, StartError> {
    let Some(id) = id else { return Ok(blueprints::system(c, tenant).await?) };
    match blueprints::active(c, tenant, id).await? {
        Some(blueprint) => Ok(blueprint),
        None => invalid("blueprintId", "there is no blueprint with this id, or it is archived"),
    }
}

fn pipeline_name(given: Option<&str>, usual: &str) -> Result<String, StartError> {
    let name = given.map_or(usual, str::trim);
    match name.chars().count() {
        1..=200 => Ok(name.to_owned()),
        _ => invalid("pipelineName", "1 to 200 characters"),
    }
}

/// How many leads a source has, and how a run reads them.
pub async fn leads_of(c: &mut PgConnection, tenant: TenantId, source: &Source) -> Result<Leads, StartError> {
    match source {
        Source::Import { import, sector } => of_import(c, tenant, *import, sector.as_deref()).await,
        Source::Sector(sector) => of_sector(c, tenant, sector).await,
        Source::Artifact { run, artifact } => Ok(Leads {
            input: RunInput::Artifact {
                run_id: *run,
                artifact_id: artifact.artifact_id,
                object_path: artifact.object_path.clone(),
                leads: artifact.leads,
            },
            root_input_id: run.to_string(),
            total: artifact.leads,
            sector_id: None,
            sector_name: None,
        }),
    }
}

/// The run that an imported file says it was exported from; mended failed leads come back like this.
pub async fn exported_from(
    c: &mut PgConnection,
    tenant: TenantId,
    source: &Source,
) -> Result<Option<RunId>, StartError> {
    let Source::Import { import, .. } = source else { return Ok(None) };
    let import = imports::get(c, tenant, *import).await?;
    Ok(import.and_then(|import| import.summary).and_then(|summary| summary.lineage_of))
}

async fn of_import(
    c: &mut PgConnection,
    tenant: TenantId,
    id: ImportId,
    sector: Option<&str>,
) -> Result<Leads, StartError> {
    let sector = match sector {
        Some(id) => Some(named(c, tenant, id).await?),
        None => None,
    };
    let Some(import) = imports::get(c, tenant, id).await? else {
        return invalid("importId", "there is no import with this id");
    };
    let (Some(rows), Some(size_bytes), imports::Status::Completed) = (import.rows, import.size_bytes, import.status)
    else {
        return invalid("importId", "the import is not completed");
    };
    let object_path = import.object_path;
    let input = if import.content_type == new_leads::CONTENT_TYPE {
        RunInput::Leads { import_id: id, object_path, leads: rows }
    } else {
        RunInput::Import { import_id: id, object_path, size_bytes, rows }
    };
    let (sector_id, sector_name) = sector.map(|sector| (sector.id, sector.name)).unzip();
    Ok(Leads { input, root_input_id: id.to_string(), total: rows, sector_id, sector_name })
}

async fn of_sector(c: &mut PgConnection, tenant: TenantId, named_as: &str) -> Result<Leads, StartError> {
    let sector = named(c, tenant, named_as).await?;
    let id = sector.id;
    let total = leads::count_members(c, tenant, id).await?;
    if total == 0 {
        return invalid("sectorId", "the sector has no leads");
    }
    let input = RunInput::Sector { sector_id: id };
    Ok(Leads { input, root_input_id: id.to_string(), total, sector_id: Some(id), sector_name: Some(sector.name) })
}

async fn named(c: &mut PgConnection, tenant: TenantId, id: &str) -> Result<sectors::Sector, StartError> {
    match sectors::get(c, tenant, id).await? {
        Some(sector) => Ok(sector),
        None => invalid("sectorId", "there is no sector with this id or slug"),
    }
}
