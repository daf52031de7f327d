//! The start of a run: looks up its input, blueprint, prices and limits, and makes the `run:queued` that pins them.

use luci_config::{
    AdminError,
    blueprints::{self, Blueprint},
    tenants,
};
use luci_leads::{
    commands::{new_leads, scoring_profiles},
    store::{imports, leads, sectors},
};
use luci_providers::{ProviderName, credentials, prices};
use luci_schema::{
    Actor, BlueprintId, ImportId, RunId, SectorId, Stage, TenantId,
    event::{Artifact, ObjectDigest, RunInput, RunOptions, RunPrices, RunQueued, StageSpec, TriggerType},
    log::LogError,
};
use serde::Serialize;
use sqlx::PgConnection;

/// A request to start a run.
#[derive(Debug, Clone)]
pub struct StartRequest {
    pub source: LeadSource,
    /// `None`: the system blueprint.
    pub blueprint: Option<BlueprintId>,
    /// Shown in lists; the blueprint's name when absent.
    pub pipeline_name: Option<String>,
    pub options: RunOptions,
    pub budget_micros: Option<u64>,
}

/// Where its leads come from.
#[derive(Debug, Clone)]
pub enum LeadSource {
    /// An upload, or leads added by an API call; for the sector with this id or slug, if one is given.
    Import { import: ImportId, sector: Option<String> },
    /// A sector's members; id or slug.
    Sector(String),
    /// The output of an earlier run's block.
    Artifact { run: RunId, artifact: Box<Artifact> },
}

/// Who starts it.
#[derive(Debug, Clone, Copy)]
pub struct StartedBy {
    pub actor: Actor,
    pub trigger: TriggerType,
}

/// Why a run cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{field}: {reason}")]
    Invalid { field: &'static str, reason: String },
    #[error("the input has {leads} leads, the run takes at most {max_leads}")]
    TooManyLeads { leads: u64, max_leads: u64 },
    /// The file was started before, by this run.
    #[error("run {run} was started on the same file; set allowRepeat (`--allow-repeat`) to start it again")]
    AlreadyImported { run: RunId },
    #[error("the log cannot be read: {0}")]
    Log(#[from] LogError),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

fn invalid<T>(field: &'static str, reason: impl Into<String>) -> Result<T, StartError> {
    Err(StartError::Invalid { field, reason: reason.into() })
}

/// The leads of a source.
#[derive(Debug)]
pub struct SourceLeads {
    pub input: RunInput,
    pub root_input_id: String,
    pub total: u64,
    pub sector_id: Option<SectorId>,
    pub sector_name: Option<String>,
}

/// Looks up everything that the run pins.
pub async fn queued(
    c: &mut PgConnection,
    tenant: TenantId,
    request: &StartRequest,
    run: RunId,
    by: StartedBy,
) -> Result<RunQueued, StartError> {
    let leads = leads_of(c, tenant, &request.source).await?;
    if leads.total > request.options.max_leads {
        return Err(StartError::TooManyLeads { leads: leads.total, max_leads: request.options.max_leads });
    }
    let blueprint = blueprint(c, tenant, request.blueprint).await?;
    let mut stages = blueprint.stages;
    scoring_profiles::pin(c, tenant, &mut stages).await?;
    check_settings(&stages)?;
    let prices = pin_prices(c, &stages).await?;
    fix_layout(c, tenant, &request.source, leads.total).await?;
    let tenant = tenants::get(c, tenant).await?;
    Ok(RunQueued {
        pipeline_name: pipeline_name(request.pipeline_name.as_deref(), &blueprint.name)?,
        blueprint_id: blueprint.blueprint_id,
        blueprint_version: blueprint.version,
        stages,
        input: leads.input,
        root_input_id: leads.root_input_id,
        root_run_id: run,
        sector_id: leads.sector_id,
        sector_name: leads.sector_name,
        total_leads: leads.total,
        options: request.options.clone(),
        active_runs: tenant.active_runs,
        triggered_by: by.actor,
        trigger_type: by.trigger,
        parent_run_id: None,
        replayed_from_run_id: None,
        budget_micros: request.budget_micros,
        prices,
    })
}

/// From now on the file is read as it is now; refused when it was corrected since its rows were looked up.
async fn fix_layout(c: &mut PgConnection, tenant: TenantId, source: &LeadSource, total: u64) -> Result<(), StartError> {
    let LeadSource::Import { import, .. } = source else { return Ok(()) };
    imports::fix_layout(c, tenant, *import).await?;
    match imports::get(c, tenant, *import).await?.and_then(|import| import.rows) {
        Some(rows) if rows == total => Ok(()),
        _ => invalid("importId", "the import was changed meanwhile; start again"),
    }
}

/// The prices that are valid now, and the most that one lead can cost in each stage.
pub async fn pin_prices(c: &mut PgConnection, stages: &[StageSpec]) -> Result<RunPrices, sqlx::Error> {
    prices::pin(c, stages, crate::max_cost_per_lead).await
}

/// A provider without a key, and the stage that cannot do without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingProvider {
    pub stage: Stage,
    pub provider: ProviderName,
    /// What helps, as a sentence.
    pub remedy: String,
}

/// The providers that the stages need and that have neither a key of the tenant nor one of `installation`.
pub async fn missing_providers(
    c: &mut PgConnection,
    tenant: TenantId,
    installation: &[ProviderName],
    stages: &[StageSpec],
) -> Result<Vec<MissingProvider>, AdminError> {
    let own = credentials::list(c, tenant).await?;
    let has_key = |name: &ProviderName| installation.contains(name) || own.iter().any(|(own, _)| own == name.as_str());
    let needs =
        |spec: &StageSpec| crate::needs(spec).into_iter().map(|provider| (spec.stage, provider)).collect::<Vec<_>>();
    let missing = stages.iter().flat_map(needs).filter(|(_, provider)| !has_key(provider));
    Ok(missing.map(|(stage, provider)| MissingProvider { stage, provider, remedy: provider.remedy() }).collect())
}

/// A blueprint that was published by an earlier version may have settings that are refused now: better before paid stages.
fn check_settings(stages: &[StageSpec]) -> Result<(), StartError> {
    for spec in stages {
        if let Err(bad) = crate::check(spec.stage, &spec.config) {
            return invalid("blueprintId", format!("settings of stage {}: {bad}", spec.name));
        }
    }
    Ok(())
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
        None => invalid("blueprintId", "no blueprint has this id, or it is archived"),
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
pub async fn leads_of(c: &mut PgConnection, tenant: TenantId, source: &LeadSource) -> Result<SourceLeads, StartError> {
    match source {
        LeadSource::Import { import, sector } => of_import(c, tenant, *import, sector.as_deref()).await,
        LeadSource::Sector(sector) => of_sector(c, tenant, sector).await,
        LeadSource::Artifact { run, artifact } => Ok(SourceLeads {
            input: RunInput::Artifact {
                run_id: *run,
                artifact_id: artifact.artifact_id,
                object_path: artifact.object_path.clone(),
                leads: artifact.leads,
                digest: Some(artifact.digest()),
            },
            root_input_id: run.to_string(),
            total: artifact.leads,
            sector_id: None,
            sector_name: None,
        }),
    }
}

/// The run that an imported file was exported from: corrected failed leads come back like this.
pub async fn exported_from(
    c: &mut PgConnection,
    tenant: TenantId,
    source: &LeadSource,
) -> Result<Option<RunId>, StartError> {
    let LeadSource::Import { import, .. } = source else { return Ok(None) };
    let import = imports::get(c, tenant, *import).await?;
    Ok(import.and_then(|import| import.summary).and_then(|summary| summary.lineage_of))
}

async fn of_import(
    c: &mut PgConnection,
    tenant: TenantId,
    id: ImportId,
    sector: Option<&str>,
) -> Result<SourceLeads, StartError> {
    let sector = match sector {
        Some(id) => Some(named(c, tenant, id).await?),
        None => None,
    };
    let Some(import) = imports::get(c, tenant, id).await? else {
        return invalid("importId", "no import has this id");
    };
    let (Some(rows), Some(size_bytes), imports::ImportStatus::Completed) =
        (import.rows, import.size_bytes, import.status)
    else {
        return invalid("importId", "the import is not completed");
    };
    let object_path = import.object_path;
    let input = if import.content_type == new_leads::CONTENT_TYPE {
        let digest = import.checksum.map(|checksum| ObjectDigest { size_bytes, checksum });
        RunInput::Leads { import_id: id, object_path, leads: rows, digest }
    } else {
        RunInput::Import { import_id: id, object_path, size_bytes, rows, checksum: import.checksum }
    };
    let (sector_id, sector_name) = sector.map(|sector| (sector.id, sector.name)).unzip();
    Ok(SourceLeads { input, root_input_id: id.to_string(), total: rows, sector_id, sector_name })
}

async fn of_sector(c: &mut PgConnection, tenant: TenantId, named_as: &str) -> Result<SourceLeads, StartError> {
    let sector = named(c, tenant, named_as).await?;
    let id = sector.id;
    let total = leads::count_members(c, tenant, id).await?;
    if total == 0 {
        return invalid("sectorId", "the sector has no leads");
    }
    let input = RunInput::Sector { sector_id: id };
    Ok(SourceLeads { input, root_input_id: id.to_string(), total, sector_id: Some(id), sector_name: Some(sector.name) })
}

async fn named(c: &mut PgConnection, tenant: TenantId, id: &str) -> Result<sectors::Sector, StartError> {
    match sectors::get(c, tenant, id).await? {
        Some(sector) => Ok(sector),
        None => invalid("sectorId", "no sector has this id or slug"),
    }
}
