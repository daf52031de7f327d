//! Table `sectors`: the tenant's markets.

use luci_schema::{Micros, SectorId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::lead;

/// A sector as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sector {
    pub id: SectorId,
    pub slug: String,
    pub name: String,
    /// Two letters; none is nationwide.
    pub state: Option<String>,
    pub sic_codes: Vec<String>,
    pub legacy_bucket_id: Option<String>,
    pub created_at: Micros,
}

/// Adds a sector. A slug that is taken is a unique violation.
pub async fn create(c: &mut PgConnection, tenant: TenantId, sector: &Sector) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into sectors (tenant_id, id, slug, name, state, sic_codes, legacy_bucket_id, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tenant)
    .bind(sector.id)
    .bind(&sector.slug)
    .bind(&sector.name)
    .bind(&sector.state)
    .bind(&sector.sic_codes)
    .bind(&sector.legacy_bucket_id)
    .bind(sector.created_at.date_time())
    .execute(c)
    .await?;
    Ok(())
}

/// Adds those whose slugs are free, in one statement; answers how many.
pub async fn create_missing(c: &mut PgConnection, tenant: TenantId, sectors: &[Sector]) -> Result<u64, sqlx::Error> {
    let added = sqlx::query(
        "insert into sectors (tenant_id, id, slug, name, state, sic_codes)
         select $1, id, slug, name, state, string_to_array(codes, ' ')
           from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) as new (id, slug, name, state, codes)
         on conflict (tenant_id, slug) do nothing",
    )
    .bind(tenant)
    .bind(sectors.iter().map(|sector| sector.id).collect::<Vec<_>>())
    .bind(sectors.iter().map(|sector| sector.slug.as_str()).collect::<Vec<_>>())
    .bind(sectors.iter().map(|sector| sector.name.as_str()).collect::<Vec<_>>())
    .bind(sectors.iter().map(|sector| sector.state.as_deref()).collect::<Vec<_>>())
    .bind(sectors.iter().map(|sector| sector.sic_codes.join(" ")).collect::<Vec<_>>())
    .execute(c)
    .await?;
    Ok(added.rows_affected())
}

/// Changes name, state and codes.
pub async fn update(c: &mut PgConnection, tenant: TenantId, sector: &Sector) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sectors set name = $3, state = $4, sic_codes = $5, updated_at = now() where tenant_id = $1 and id = $2",
    )
    .bind(tenant)
    .bind(sector.id)
    .bind(&sector.name)
    .bind(&sector.state)
    .bind(&sector.sic_codes)
    .execute(c)
    .await?;
    Ok(())
}

/// Sectors by slug, those behind `after`; of one state, or nationwide, when asked.
pub async fn page(
    c: &mut PgConnection,
    tenant: TenantId,
    state: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Sector>, sqlx::Error> {
    let rows = sqlx::query(
        "select * from sectors where tenant_id = $1 and slug > $2
            and ($3::text is null or coalesce(state, 'US') = $3) order by slug limit $4",
    )
    .bind(tenant)
    .bind(after.unwrap_or_default())
    .bind(state)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    rows.into_iter().map(decode).collect()
}

/// One sector by id or slug.
pub async fn get(c: &mut PgConnection, tenant: TenantId, id_or_slug: &str) -> Result<Option<Sector>, sqlx::Error> {
    sqlx::query("select * from sectors where tenant_id = $1 and (id = $2 or slug = $2)")
        .bind(tenant)
        .bind(id_or_slug)
        .fetch_optional(c)
        .await?
        .map(decode)
        .transpose()
}

/// One sector by id, slug, or the id that its bucket had before there were sectors.
pub async fn of_bucket(c: &mut PgConnection, tenant: TenantId, named: &str) -> Result<Option<Sector>, sqlx::Error> {
    sqlx::query(
        "select * from sectors where tenant_id = $1 and (id = $2 or slug = $2 or legacy_bucket_id = $2)
          order by id <> $2, slug <> $2 limit 1",
    )
    .bind(tenant)
    .bind(named)
    .fetch_optional(c)
    .await?
    .map(decode)
    .transpose()
}

/// All sectors by slug.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<Sector>, sqlx::Error> {
    let rows =
        sqlx::query("select * from sectors where tenant_id = $1 order by slug").bind(tenant).fetch_all(c).await?;
    rows.into_iter().map(decode).collect()
}

/// All sectors, as the rules of ASSIGN ask them.
pub async fn rules(c: &mut PgConnection, tenant: TenantId) -> Result<lead::sector::Sectors, sqlx::Error> {
    let rule = |s: Sector| lead::sector::Sector { id: s.id, slug: s.slug, state: s.state, sic_codes: s.sic_codes };
    Ok(lead::sector::Sectors::new(list(c, tenant).await?.into_iter().map(rule).collect()))
}

/// Until the transaction ends, nobody else writes the sector's list in the store.
pub async fn lock_list(c: &mut PgConnection, tenant: TenantId, sector: SectorId) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('sector_list:' || $1 || $2, 0))")
        .bind(tenant)
        .bind(sector)
        .execute(c)
        .await?;
    Ok(())
}

fn decode(row: PgRow) -> Result<Sector, sqlx::Error> {
    Ok(Sector {
        id: row.try_get("id")?,
        slug: row.try_get("slug")?,
        name: row.try_get("name")?,
        state: row.try_get("state")?,
        sic_codes: row.try_get("sic_codes")?,
        legacy_bucket_id: row.try_get("legacy_bucket_id")?,
        created_at: row.try_get::<OffsetDateTime, _>("created_at")?.into(),
    })
}
