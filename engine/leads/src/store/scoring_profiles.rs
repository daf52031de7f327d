//! Table `scoring_profiles`: profiles by name and version, never changed once published.

use luci_schema::{Micros, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;

use crate::score::{
    profile::{Factor, Profile},
    setting::ProfileRef,
};

/// Versions in a list at most.
const MAX_LISTED: i64 = 1_000;

/// A profile as stored.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredProfile {
    #[serde(flatten)]
    pub profile: Profile,
    /// New runs pin it unless their settings name another.
    pub active: bool,
    /// Compiled in: `fit` 1.
    pub system: bool,
    pub created_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// Adds a version of a profile. A version that exists is a unique violation.
pub async fn insert(
    c: &mut PgConnection,
    tenant: TenantId,
    profile: &Profile,
    created_by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into scoring_profiles (tenant_id, name, version, factors, high, medium, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant)
    .bind(&profile.name)
    .bind(i32::try_from(profile.version).unwrap_or(i32::MAX))
    .bind(Json(&profile.factors))
    .bind(i16::from(profile.high))
    .bind(i16::from(profile.medium))
    .bind(created_by)
    .execute(c)
    .await?;
    Ok(())
}

/// Makes a version the only active one. For a profile that is compiled in, no row is active.
pub async fn set_active(c: &mut PgConnection, tenant: TenantId, name: &str, version: u32) -> Result<(), sqlx::Error> {
    sqlx::query("update scoring_profiles set active = false where tenant_id = $1 and active")
        .bind(tenant)
        .execute(&mut *c)
        .await?;
    sqlx::query("update scoring_profiles set active = true where tenant_id = $1 and name = $2 and version = $3")
        .bind(tenant)
        .bind(name)
        .bind(i32::try_from(version).unwrap_or(i32::MAX))
        .execute(c)
        .await?;
    Ok(())
}

/// A profile by name and version.
pub async fn get(
    c: &mut PgConnection,
    tenant: TenantId,
    name: &str,
    version: u32,
) -> Result<Option<Profile>, sqlx::Error> {
    let built_in = Profile::default();
    if (built_in.name.as_str(), built_in.version) == (name, version) {
        return Ok(Some(built_in));
    }
    let row = sqlx::query("select * from scoring_profiles where tenant_id = $1 and name = $2 and version = $3")
        .bind(tenant)
        .bind(name)
        .bind(i32::try_from(version).unwrap_or(i32::MAX))
        .fetch_optional(c)
        .await?;
    row.map(|row| Ok(read(&row)?.profile)).transpose()
}

/// All versions by name, the newest first, with the one that is compiled in; the first 1,000.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<StoredProfile>, sqlx::Error> {
    let rows = sqlx::query("select * from scoring_profiles where tenant_id = $1 order by name, version desc limit $2")
        .bind(tenant)
        .bind(MAX_LISTED)
        .fetch_all(&mut *c)
        .await?;
    let mut stored: Vec<StoredProfile> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let built_in = Profile::default();
    let active = active(c, tenant).await? == (built_in.name.clone(), built_in.version);
    stored.push(StoredProfile {
        profile: built_in,
        active,
        system: true,
        created_by: "system".into(),
        created_at: None,
    });
    stored.sort_by(|a, b| (&a.profile.name, b.profile.version).cmp(&(&b.profile.name, a.profile.version)));
    Ok(stored)
}

/// Name and version of the active profile; of the one that is compiled in when no row is active.
pub(crate) async fn active(c: &mut PgConnection, tenant: TenantId) -> Result<(String, u32), sqlx::Error> {
    let found: Option<(String, i32)> =
        sqlx::query_as("select name, version from scoring_profiles where tenant_id = $1 and active")
            .bind(tenant)
            .fetch_optional(c)
            .await?;
    let built_in = || (Profile::default().name, Profile::default().version);
    Ok(found.map_or_else(built_in, |(name, version)| (name, version.unsigned_abs())))
}

/// Name and version of a profile, when it exists.
pub(crate) async fn resolve(
    c: &mut PgConnection,
    tenant: TenantId,
    profile: &ProfileRef,
) -> Result<Option<(String, u32)>, sqlx::Error> {
    let version = match profile.version {
        Some(version) => get(c, tenant, &profile.name, version).await?.map(|found| found.version),
        None => newest(c, tenant, &profile.name).await?,
    };
    Ok(version.map(|version| (profile.name.clone(), version)))
}

/// The newest version of a name.
pub(crate) async fn newest(c: &mut PgConnection, tenant: TenantId, name: &str) -> Result<Option<u32>, sqlx::Error> {
    let stored: Option<i32> =
        sqlx::query_scalar("select max(version) from scoring_profiles where tenant_id = $1 and name = $2")
            .bind(tenant)
            .bind(name)
            .fetch_one(c)
            .await?;
    let built_in = Profile::default();
    let built_in = (built_in.name == name).then_some(built_in.version);
    Ok(stored.map(i32::unsigned_abs).or(built_in))
}

fn read(row: &PgRow) -> Result<StoredProfile, sqlx::Error> {
    let score = |column: &str| Ok::<_, sqlx::Error>(u8::try_from(row.try_get::<i16, _>(column)?).unwrap_or(100));
    let profile = Profile {
        name: row.try_get("name")?,
        version: row.try_get::<i32, _>("version")?.unsigned_abs(),
        factors: row.try_get::<Json<Vec<Factor>>, _>("factors")?.0,
        high: score("high")?,
        medium: score("medium")?,
    };
    let created_at = Micros::from(row.try_get::<OffsetDateTime, _>("created_at")?).rfc3339();
    Ok(StoredProfile {
        profile,
        active: row.try_get("active")?,
        system: false,
        created_by: row.try_get("created_by")?,
        created_at: Some(created_at),
    })
}
