//! Table `sectors`: the markets of a tenant that leads are assigned to.

use futures::TryStreamExt;
use luci_schema::{Micros, SectorId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::assign::SectorIndex;

/// A sector as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sector {
    pub id: SectorId,
    pub slug: String,
    pub name: String,
    /// Two letters; `None` is nationwide.
    pub state: Option<String>,
    pub sic_codes: Vec<String>,
    pub legacy_bucket_id: Option<String>,
    pub created_at: Micros,
}

/// Adds a sector. A taken slug is a unique violation.
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

/// Adds the sectors whose slugs are free; returns how many.
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

/// Updates name, state and SIC codes.
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

/// Sectors by slug, after `after`; of one `state` (`US`: nationwide) or of all.
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

/// One sector by id, slug, or the id of its bucket on the older platform.
pub async fn of_bucket(c: &mut PgConnection, tenant: TenantId, id: &str) -> Result<Option<Sector>, sqlx::Error> {
    sqlx::query(
        "select * from sectors where tenant_id = $1 and (id = $2 or slug = $2 or legacy_bucket_id = $2)
          order by id <> $2, slug <> $2 limit 1",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(c)
    .await?
    .map(decode)
    .transpose()
}

/// All sectors of the tenant, indexed for ASSIGN. Rows are streamed: the index holds one entry for each state and SIC code,
/// however many sectors there are.
pub async fn index(c: &mut PgConnection, tenant: TenantId) -> Result<SectorIndex, sqlx::Error> {
    // In slug order, since of several sectors with the same code and state the first one counts.
    let mut rows = sqlx::query("select id, state, sic_codes from sectors where tenant_id = $1 order by slug")
        .bind(tenant)
        .fetch(c);
    let mut index = SectorIndex::default();
    while let Some(row) = rows.try_next().await? {
        index.add(row.try_get("id")?, row.try_get("state")?, row.try_get("sic_codes")?);
    }
    Ok(index)
}

/// Locks the sector's list in the object store until the transaction ends.
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
