//! Reads leads for the API: in pages, and one with all details.

use luci_schema::{LeadId, Micros, SectorId, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::{
    Lead,
    lead::{assignment::AssignmentRule, scored::Points, status::LeadStatus},
    store::leads::decode,
};

/// Selects leads; `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct LeadFilter {
    pub sector: Option<SectorId>,
    pub status: Option<LeadStatus>,
    /// 0..=100
    pub min_score: Option<u8>,
    pub max_score: Option<u8>,
    /// Leads after this one in the order of the page.
    pub after: Option<LeadId>,
}

/// A lead in a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadSummary {
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

/// A lead with all its data.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadDetail {
    #[serde(flatten)]
    pub summary: LeadSummary,
    /// The import or sector that it comes from, and its row there.
    pub root_input_id: String,
    pub row: i64,
    /// `fit/1`
    pub score_profile: Option<String>,
    /// Points by factor, in the profile's order.
    pub score_breakdown: Vec<Points>,
    pub sector_rule: Option<AssignmentRule>,
    /// 0..=100
    pub sector_confidence: Option<u8>,
    pub lead: Lead,
}

/// The newest leads first; with a sector by lead id, as a run reads them.
pub async fn page(
    c: &mut PgConnection,
    tenant: TenantId,
    filter: &LeadFilter,
    limit: u32,
) -> Result<Vec<LeadSummary>, sqlx::Error> {
    // Two statements, each ordered by its own index.
    let all = "select * from leads where tenant_id = $1 and $2::text is null and id < coalesce($3, 'm')
                    and ($4::text is null or status = $4) and ($5::smallint is null or score >= $5)
                    and ($6::smallint is null or score <= $6) order by id desc limit $7";
    let of_sector = "select * from leads where tenant_id = $1 and sector_id = $2 and id > coalesce($3, '')
                        and ($4::text is null or status = $4) and ($5::smallint is null or score >= $5)
                        and ($6::smallint is null or score <= $6) order by id limit $7";
    let rows = sqlx::query(if filter.sector.is_some() { of_sector } else { all })
        .bind(tenant)
        .bind(filter.sector)
        .bind(filter.after)
        .bind(filter.status.map(LeadStatus::as_str))
        .bind(filter.min_score.map(i16::from))
        .bind(filter.max_score.map(i16::from))
        .bind(i64::from(limit))
        .fetch_all(c)
        .await?;
    rows.iter().map(summary).collect()
}

/// One lead with all its data.
pub async fn get(c: &mut PgConnection, tenant: TenantId, id: LeadId) -> Result<Option<LeadDetail>, sqlx::Error> {
    let row = sqlx::query("select *, data::text as text from leads where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .fetch_optional(c)
        .await?;
    row.map(|row| detail(&row)).transpose()
}

fn summary(row: &PgRow) -> Result<LeadSummary, sqlx::Error> {
    let time = |column: &str| Ok::<_, sqlx::Error>(Micros::from(row.try_get::<OffsetDateTime, _>(column)?).rfc3339());
    Ok(LeadSummary {
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

fn detail(row: &PgRow) -> Result<LeadDetail, sqlx::Error> {
    let (summary, lead) = (summary(row)?, decode(row, "text")?);
    // The JSON is of the last run; when that run found no sector, the column still has that of an earlier run.
    let assignment = lead.sector.as_ref().filter(|assignment| assignment.sector_id == summary.sector_id);
    let scored = lead.scored.as_ref();
    Ok(LeadDetail {
        root_input_id: row.try_get("root_input_id")?,
        row: row.try_get("row_number")?,
        score_profile: scored.map(|scored| scored.profile.clone()),
        score_breakdown: scored.map(|scored| scored.breakdown.clone()).unwrap_or_default(),
        sector_rule: assignment.map(|assignment| assignment.rule),
        sector_confidence: assignment.map(|assignment| assignment.confidence),
        summary,
        lead,
    })
}
