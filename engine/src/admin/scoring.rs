//! Table `scoring_profiles`: tables of factors, published by version and never changed; a run pins one when it is started.

use luci_schema::{
    ConfigEvent, Micros, Position, Stage, TenantId,
    event::{ScoringProfileActivated, ScoringProfilePublished, StageSpec},
    log::{Log, NewReceipt},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;

use super::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use crate::lead::{
    profile::{self, Reference},
    score::{Factor, Profile},
};

/// A profile as stored.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    #[serde(flatten)]
    pub profile: Profile,
    /// New runs pin it unless their blueprint names another.
    pub active: bool,
    /// Part of the software: `fit` 1.
    pub system: bool,
    pub created_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// A profile that is to be published.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Draft {
    pub name: String,
    pub factors: Vec<Value>,
    #[serde(default = "high")]
    pub high: u8,
    #[serde(default = "medium")]
    pub medium: u8,
}

const fn high() -> u8 {
    80
}

const fn medium() -> u8 {
    50
}

/// Publishes the next version of a name. It is not active by that.
pub async fn publish(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    draft: &Draft,
    by: &By,
    receipt: impl FnOnce(&Profile) -> Option<NewReceipt>,
) -> Result<(Profile, Position), AdminError> {
    let factors = profile::factors(&draft.factors).map_err(invalid)?;
    let held = tenants::hold(c, tenant, log).await?;
    let version = newest(c, tenant, &draft.name).await?.map_or(1, |version| version + 1);
    let profile = Profile { name: draft.name.clone(), version, factors, high: draft.high, medium: draft.medium };
    profile::check(&profile).map_err(invalid)?;
    sqlx::query(
        "insert into scoring_profiles (tenant_id, name, version, factors, high, medium, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant)
    .bind(&profile.name)
    .bind(i32::try_from(version).unwrap_or(i32::MAX))
    .bind(Json(&profile.factors))
    .bind(i16::from(profile.high))
    .bind(i16::from(profile.medium))
    .bind(by.actor.to_string())
    .execute(&mut *c)
    .await?;
    let published = ScoringProfilePublished {
        name: profile.name.clone(),
        version,
        factors: json!(profile.factors),
        high: profile.high,
        medium: profile.medium,
    };
    let events = vec![ConfigEvent::ScoringProfilePublished(Box::new(published)).into()];
    let change = Change::after(tenant, held, events).remembered(receipt(&profile));
    let position = record(log, c, tenant, change, by).await?;
    Ok((profile, position))
}

/// Makes a version the one that new runs pin.
pub async fn activate(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    wanted: &Reference,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let held = tenants::hold(c, tenant, log).await?;
    let (name, version) = exact(c, tenant, wanted).await?.ok_or(AdminError::NotFound("scoring profile"))?;
    sqlx::query("update scoring_profiles set active = false where tenant_id = $1 and active")
        .bind(tenant)
        .execute(&mut *c)
        .await?;
    sqlx::query("update scoring_profiles set active = true where tenant_id = $1 and name = $2 and version = $3")
        .bind(tenant)
        .bind(&name)
        .bind(i32::try_from(version).unwrap_or(i32::MAX))
        .execute(&mut *c)
        .await?;
    let events = vec![ConfigEvent::ScoringProfileActivated(ScoringProfileActivated { name, version }).into()];
    record(log, c, tenant, Change::after(tenant, held, events).remembered(receipt), by).await
}

/// Writes into the SCORE stage which profile and version it uses: the one it names, else the tenant's active one. A profile
/// that stands there in full stays as it is. A replay goes by what was written.
pub async fn pin(c: &mut PgConnection, tenant: TenantId, stages: &mut [StageSpec]) -> Result<(), AdminError> {
    let Some(spec) = stages.iter_mut().find(|spec| spec.stage == Stage::Score) else { return Ok(()) };
    let (name, version) = match profile::chosen(&spec.config[profile::SETTING]).map_err(invalid)? {
        profile::Chosen::Own(own) => return profile::check(&own).map_err(invalid),
        profile::Chosen::Nothing => active(c, tenant).await?,
        profile::Chosen::Named(wanted) => {
            let missing = || invalid(("scoringProfile", format!("there is no profile {wanted}")));
            exact(c, tenant, &wanted).await?.ok_or_else(missing)?
        }
    };
    if !spec.config.is_object() {
        spec.config = json!({});
    }
    spec.config[profile::SETTING] = json!({"name": name, "version": version});
    Ok(())
}

/// A profile by name and version.
pub async fn get(
    c: &mut PgConnection,
    tenant: TenantId,
    name: &str,
    version: u32,
) -> Result<Option<Profile>, sqlx::Error> {
    let own = Profile::default();
    if (own.name.as_str(), own.version) == (name, version) {
        return Ok(Some(own));
    }
    let row = sqlx::query("select * from scoring_profiles where tenant_id = $1 and name = $2 and version = $3")
        .bind(tenant)
        .bind(name)
        .bind(i32::try_from(version).unwrap_or(i32::MAX))
        .fetch_optional(c)
        .await?;
    row.map(|row| Ok(read(&row)?.profile)).transpose()
}

/// Every version of every name, the newest first within a name, the software's own among them.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<Stored>, sqlx::Error> {
    let rows =
        sqlx::query("select * from scoring_profiles where tenant_id = $1 order by name, version desc limit 1000")
            .bind(tenant)
            .fetch_all(c)
            .await?;
    let mut stored: Vec<Stored> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let active = stored.iter().all(|profile| !profile.active);
    let own = Profile::default();
    stored.push(Stored { profile: own, active, system: true, created_by: "system".into(), created_at: None });
    stored.sort_by(|a, b| (&a.profile.name, b.profile.version).cmp(&(&b.profile.name, a.profile.version)));
    Ok(stored)
}

async fn active(c: &mut PgConnection, tenant: TenantId) -> Result<(String, u32), sqlx::Error> {
    let found: Option<(String, i32)> =
        sqlx::query_as("select name, version from scoring_profiles where tenant_id = $1 and active")
            .bind(tenant)
            .fetch_optional(c)
            .await?;
    let own = || (Profile::default().name, Profile::default().version);
    Ok(found.map_or_else(own, |(name, version)| (name, version.unsigned_abs())))
}

/// The version that is meant, when there is one.
async fn exact(
    c: &mut PgConnection,
    tenant: TenantId,
    wanted: &Reference,
) -> Result<Option<(String, u32)>, sqlx::Error> {
    let version = match wanted.version {
        Some(version) => get(c, tenant, &wanted.name, version).await?.map(|profile| profile.version),
        None => newest(c, tenant, &wanted.name).await?,
    };
    Ok(version.map(|version| (wanted.name.clone(), version)))
}

async fn newest(c: &mut PgConnection, tenant: TenantId, name: &str) -> Result<Option<u32>, sqlx::Error> {
    let stored: Option<i32> =
        sqlx::query_scalar("select max(version) from scoring_profiles where tenant_id = $1 and name = $2")
            .bind(tenant)
            .bind(name)
            .fetch_one(c)
            .await?;
    let own = Profile::default();
    let own = (own.name == name).then_some(own.version);
    Ok(stored.map(i32::unsigned_abs).or(own))
}

fn read(row: &PgRow) -> Result<Stored, sqlx::Error> {
    let mark = |column: &str| Ok::<_, sqlx::Error>(u8::try_from(row.try_get::<i16, _>(column)?).unwrap_or(100));
    let profile = Profile {
        name: row.try_get("name")?,
        version: row.try_get::<i32, _>("version")?.unsigned_abs(),
        factors: row.try_get::<Json<Vec<Factor>>, _>("factors")?.0,
        high: mark("high")?,
        medium: mark("medium")?,
    };
    let created_at = Micros::from(row.try_get::<OffsetDateTime, _>("created_at")?).rfc3339();
    Ok(Stored {
        profile,
        active: row.try_get("active")?,
        system: false,
        created_by: row.try_get("created_by")?,
        created_at: Some(created_at),
    })
}

fn invalid((field, reason): profile::Fault) -> AdminError {
    AdminError::Invalid { field, reason }
}
