//! Leads as they are listed and looked at, and their status.

use luci_schema::{LeadId, Micros, SectorId, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use super::decode;
use crate::lead::{Lead, score::Points, sector::Rule, status::Status};

/// Which leads are asked for; what is absent is not asked.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub sector: Option<SectorId>,
    pub status: Option<Status>,
    /// 0..=100
    pub min_score: Option<u8>,
    pub max_score: Option<u8>,
    /// Leads behind this one, which is older or, in a sector, has a lower id.
    pub after: Option<LeadId>,
}

/// A lead in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub lead_id: LeadId,
    pub status: String,
    pub enrichment_status: String,
    pub company_name: Option<String>,
    pub contact_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub state: Option<String>,
    pub sic_code: Option<String>,
    pub sector_id: Option<SectorId>,
    pub score: Option<i16>,
    pub priority: Option<String>,
    pub tags: Vec<String>,
    pub created_at: String,
    pub updated_at: String,
}

/// A lead with all that is known of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    #[serde(flatten)]
    pub entry: Entry,
    /// The import or sector that first brought it, and its row there.
    pub root_input_id: String,
    pub row: i64,
    /// `fit/1`
    pub score_profile: Option<String>,
    /// Points by factor, in the profile's order.
    pub score_breakdown: Vec<Points>,
    pub sector_rule: Option<Rule>,
    /// 0..=100
    pub sector_confidence: Option<u8>,
    pub lead: Lead,
}

/// Newest first; of a sector in lead-id order, as a run reads them.
pub async fn page(
    c: &mut PgConnection,
    tenant: TenantId,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Entry>, sqlx::Error> {
    // Two statements, each with the one index that has its order.
    let whole = "select * from leads where tenant_id = $1 and $2::text is null and id < coalesce($3, 'm')
                    and ($4::text is null or status = $4) and ($5::smallint is null or score >= $5)
                    and ($6::smallint is null or score <= $6) order by id desc limit $7";
    let of_sector = "select * from leads where tenant_id = $1 and sector_id = $2 and id > coalesce($3, '')
                        and ($4::text is null or status = $4) and ($5::smallint is null or score >= $5)
                        and ($6::smallint is null or score <= $6) order by id limit $7";
    let rows = sqlx::query(if filter.sector.is_some() { of_sector } else { whole })
        .bind(tenant)
        .bind(filter.sector)
        .bind(filter.after)
        .bind(filter.status.map(Status::as_str))
        .bind(filter.min_score.map(i16::from))
        .bind(filter.max_score.map(i16::from))
        .bind(i64::from(limit))
        .fetch_all(c)
        .await?;
    rows.iter().map(entry).collect()
}

/// One lead.
pub async fn get(c: &mut PgConnection, tenant: TenantId, id: LeadId) -> Result<Option<Detail>, sqlx::Error> {
    let row = sqlx::query("select *, data::text as text from leads where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .fetch_optional(c)
        .await?;
    row.map(|row| detail(&row)).transpose()
}

/// The lead's status, held until the caller's transaction ends.
pub async fn hold_status(c: &mut PgConnection, tenant: TenantId, id: LeadId) -> Result<Option<Status>, sqlx::Error> {
    let status: Option<String> =
        sqlx::query_scalar("select status from leads where tenant_id = $1 and id = $2 for update")
            .bind(tenant)
            .bind(id)
            .fetch_optional(c)
            .await?;
    status.map(|status| status.parse::<Status>().map_err(|error| sqlx::Error::Decode(Box::new(error)))).transpose()
}

/// Moves these leads on to a status; those for whom it would be a step back, or who are dnc, stay. Answers how many moved.
pub async fn advance(c: &mut PgConnection, tenant: TenantId, ids: &[LeadId], to: Status) -> Result<u64, sqlx::Error> {
    let from: Vec<&str> = Status::ALL.into_iter().filter(|from| from.can_become(to)).map(Status::as_str).collect();
    let moved = sqlx::query(
        "with known as (
             select known.id from unnest($2::text[]) as asked (id)
              cross join lateral (select id, status from leads where tenant_id = $1 and id = asked.id offset 0) as known
              where known.status = any($3))
         update leads set status = $4, updated_at = now() from known
          where leads.tenant_id = $1 and leads.id = known.id and leads.status = any($3)",
    )
    .bind(tenant)
    .bind(ids)
    .bind(from)
    .bind(to.as_str())
    .execute(c)
    .await?;
    Ok(moved.rows_affected())
}

fn entry(row: &PgRow) -> Result<Entry, sqlx::Error> {
    let time = |column: &str| Ok::<_, sqlx::Error>(Micros::from(row.try_get::<OffsetDateTime, _>(column)?).rfc3339());
    Ok(Entry {
        lead_id: row.try_get("id")?,
        status: row.try_get("status")?,
        enrichment_status: row.try_get("enrichment_status")?,
        company_name: row.try_get("company_name")?,
        contact_name: row.try_get("contact_name")?,
        email: row.try_get("email")?,
        phone: row.try_get("phone")?,
        state: row.try_get("state")?,
        sic_code: row.try_get("sic_code")?,
        sector_id: row.try_get("sector_id")?,
        score: row.try_get("score")?,
        priority: row.try_get("priority")?,
        tags: row.try_get("tags")?,
        created_at: time("created_at")?,
        updated_at: time("updated_at")?,
    })
}

fn detail(row: &PgRow) -> Result<Detail, sqlx::Error> {
    let (entry, lead) = (entry(row)?, decode(row, "text")?);
    // A run that found no sector left the lead where an earlier one had put it.
    let placed = lead.sector.as_ref().filter(|placed| placed.sector_id == entry.sector_id);
    let scored = lead.scored.as_ref();
    Ok(Detail {
        root_input_id: row.try_get("root_input_id")?,
        row: row.try_get("row_number")?,
        score_profile: scored.map(|scored| scored.profile.clone()),
        score_breakdown: scored.map(|scored| scored.breakdown.clone()).unwrap_or_default(),
        sector_rule: placed.map(|placed| placed.rule),
        sector_confidence: placed.map(|placed| placed.confidence),
        entry,
        lead,
    })
}
