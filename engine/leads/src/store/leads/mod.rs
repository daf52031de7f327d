//! Table `leads`: one row per lead, the lead as JSON, and the columns that lists filter and sort by. All writes are in this file.
//!
//! Statements over many leads look up each row by the whole primary key (`lateral … offset 0`, `on conflict`, a tenant that
//! comes with each row), which leaves the planner no other plan. With `id = any(…)` or a plain join, a connection that plans
//! while the table is new reads all rows of the tenant for each block, and keeps that plan until the table is analysed.

use std::collections::{HashMap, HashSet};

use luci_schema::{LeadId, SectorId, TenantId};
use sqlx::{PgConnection, Row};

use crate::{Lead, lead::status::LeadStatus};

pub mod page;
pub mod person;
pub mod sector_counts;

/// The leads that are stored.
pub async fn load(
    c: &mut PgConnection,
    tenant: TenantId,
    ids: &[LeadId],
) -> Result<HashMap<LeadId, Lead>, sqlx::Error> {
    let rows = sqlx::query(
        "select stored.id, stored.data::text as data from unnest($2::text[]) as requested (id)
          cross join lateral (select id, data from leads where tenant_id = $1 and id = requested.id offset 0) as stored",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, decode(row, "data")?))).collect()
}

/// Upserts leads. Of a stored lead, root input, row, status, sector and score are unchanged.
pub async fn save(
    c: &mut PgConnection,
    tenant: TenantId,
    root_input_id: &str,
    leads: &[&Lead],
) -> Result<(), sqlx::Error> {
    let columns = Columns::of(leads.iter().copied())?;
    sqlx::query(
        "insert into leads (tenant_id, root_input_id, id, row_number, company_name, contact_name, email, phone, state,
                            sic_code, data)
         select $1, $2, unnest($3::text[]), unnest($4::bigint[]), unnest($5::text[]), unnest($6::text[]),
                unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::text[]),
                unnest($11::text[])::json
         on conflict (tenant_id, id) do update
            set company_name = excluded.company_name, contact_name = excluded.contact_name, email = excluded.email,
                phone = excluded.phone, state = excluded.state, sic_code = excluded.sic_code, data = excluded.data,
                updated_at = now()",
    )
    .bind(tenant)
    .bind(root_input_id)
    .bind(columns.ids)
    .bind(columns.rows)
    .bind(columns.companies)
    .bind(columns.contacts)
    .bind(columns.emails)
    .bind(columns.phones)
    .bind(columns.states)
    .bind(columns.sics)
    .bind(columns.data)
    .execute(c)
    .await?;
    Ok(())
}

/// Updates stored leads. Sector and score are unchanged where the lead has none. Erased leads stay erased.
pub async fn update(c: &mut PgConnection, tenant: TenantId, leads: &[&Lead]) -> Result<(), sqlx::Error> {
    let columns = Columns::of(leads.iter().copied())?;
    let scored =
        |lead: &Lead| lead.scored.as_ref().map(|s| (i16::from(s.score), s.priority.as_str(), s.tags.join(",")));
    let scores: Vec<_> = leads.iter().copied().map(scored).collect();
    sqlx::query(
        "update leads
            set company_name = new.company_name, contact_name = new.contact_name, email = new.email, phone = new.phone,
                state = new.state, sic_code = new.sic_code, data = new.data::json,
                enrichment_status = case when new.matched then 'completed' else leads.enrichment_status end,
                sector_id = coalesce(new.sector_id, leads.sector_id), score = coalesce(new.score, leads.score),
                priority = coalesce(new.priority, leads.priority),
                tags = case when new.score is null then leads.tags
                            else coalesce(string_to_array(new.tags, ','), '{}') end,
                updated_at = now()
           from (select $1::text as tenant_id, unnest($2::text[]) as id, unnest($3::text[]) as company_name,
                        unnest($4::text[]) as contact_name, unnest($5::text[]) as email, unnest($6::text[]) as phone,
                        unnest($7::text[]) as state, unnest($8::text[]) as sic_code, unnest($9::text[]) as data,
                        unnest($10::bool[]) as matched, unnest($11::text[]) as sector_id,
                        unnest($12::smallint[]) as score, unnest($13::text[]) as priority, unnest($14::text[]) as tags
                 offset 0) as new
          where leads.tenant_id = new.tenant_id and leads.id = new.id",
    )
    .bind(tenant)
    .bind(columns.ids)
    .bind(columns.companies)
    .bind(columns.contacts)
    .bind(columns.emails)
    .bind(columns.phones)
    .bind(columns.states)
    .bind(columns.sics)
    .bind(columns.data)
    .bind(leads.iter().map(|lead| !lead.matched_by.is_empty()).collect::<Vec<_>>())
    .bind(leads.iter().map(|lead| lead.sector.as_ref().and_then(|s| s.sector_id)).collect::<Vec<_>>())
    .bind(scores.iter().map(|s| s.as_ref().map(|s| s.0)).collect::<Vec<_>>())
    .bind(scores.iter().map(|s| s.as_ref().map(|s| s.1)).collect::<Vec<_>>())
    .bind(scores.iter().map(|s| s.as_ref().map(|s| s.2.as_str())).collect::<Vec<_>>())
    .execute(c)
    .await?;
    Ok(())
}

/// Members of a sector that are not `dnc`, by lead id, after `after`.
pub async fn members(
    c: &mut PgConnection,
    tenant: TenantId,
    sector: SectorId,
    after: Option<LeadId>,
    limit: u32,
) -> Result<Vec<Lead>, sqlx::Error> {
    let rows = sqlx::query(
        "select data::text as data from leads
          where tenant_id = $1 and sector_id = $2 and id > $3 and status <> 'dnc' order by id limit $4",
    )
    .bind(tenant)
    .bind(sector)
    .bind(after.map_or_else(String::new, |id| id.to_string()))
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| decode(row, "data")).collect()
}

/// The number of members that a run of the sector would read.
pub async fn count_members(c: &mut PgConnection, tenant: TenantId, sector: SectorId) -> Result<u64, sqlx::Error> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from leads where tenant_id = $1 and sector_id = $2 and status <> 'dnc'")
            .bind(tenant)
            .bind(sector)
            .fetch_one(c)
            .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The leads that are stored and not `dnc`. Locks them against erasure until the transaction ends, so that rows that
/// reference them can be written.
pub async fn contactable(
    c: &mut PgConnection,
    tenant: TenantId,
    ids: &[LeadId],
) -> Result<HashSet<LeadId>, sqlx::Error> {
    let found: Vec<LeadId> = sqlx::query_scalar(
        "select stored.id from unnest($2::text[]) as requested (id)
              cross join lateral (select id, status from leads where tenant_id = $1 and id = requested.id
                                     for key share offset 0) as stored
              where stored.status <> 'dnc'",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(c)
    .await?;
    Ok(found.into_iter().collect())
}

/// Moves a new lead to `contacted`.
pub async fn mark_contacted(c: &mut PgConnection, tenant: TenantId, id: LeadId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update leads set status = 'contacted', updated_at = now() where tenant_id = $1 and id = $2 and status = 'new'",
    )
    .bind(tenant)
    .bind(id)
    .execute(c)
    .await?;
    Ok(())
}

/// Moves the leads to `dnc`.
pub async fn mark_dnc(c: &mut PgConnection, tenant: TenantId, ids: &[LeadId]) -> Result<(), sqlx::Error> {
    sqlx::query("update leads set status = 'dnc', updated_at = now() where tenant_id = $1 and id = any($2)")
        .bind(tenant)
        .bind(ids)
        .execute(c)
        .await?;
    Ok(())
}

/// Moves leads from `dnc` back to `contacted`, after the person subscribed again.
pub async fn clear_dnc(c: &mut PgConnection, tenant: TenantId, ids: &[LeadId]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update leads set status = 'contacted', updated_at = now()
          where tenant_id = $1 and id = any($2) and status = 'dnc'",
    )
    .bind(tenant)
    .bind(ids)
    .execute(c)
    .await?;
    Ok(())
}

/// The lead's status; locks the row until the transaction ends.
pub async fn lock_status(
    c: &mut PgConnection,
    tenant: TenantId,
    id: LeadId,
) -> Result<Option<LeadStatus>, sqlx::Error> {
    let status: Option<String> =
        sqlx::query_scalar("select status from leads where tenant_id = $1 and id = $2 for update")
            .bind(tenant)
            .bind(id)
            .fetch_optional(c)
            .await?;
    status.map(|status| status.parse::<LeadStatus>().map_err(|error| sqlx::Error::Decode(Box::new(error)))).transpose()
}

/// Moves leads forwards to a status; leads that cannot move there are unchanged. Returns how many moved.
pub async fn advance_status(
    c: &mut PgConnection,
    tenant: TenantId,
    ids: &[LeadId],
    to: LeadStatus,
) -> Result<u64, sqlx::Error> {
    let from: Vec<&str> =
        LeadStatus::ALL.into_iter().filter(|from| from.can_become(to)).map(LeadStatus::as_str).collect();
    let moved = sqlx::query(
        "with movable as (
             select movable.id from unnest($2::text[]) as requested (id)
              cross join lateral (select id, status from leads where tenant_id = $1 and id = requested.id offset 0) as movable
              where movable.status = any($3))
         update leads set status = $4, updated_at = now() from movable
          where leads.tenant_id = $1 and leads.id = movable.id and leads.status = any($3)",
    )
    .bind(tenant)
    .bind(ids)
    .bind(from)
    .bind(to.as_str())
    .execute(c)
    .await?;
    Ok(moved.rows_affected())
}

fn decode(row: &sqlx::postgres::PgRow, column: &str) -> Result<Lead, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The lead as JSON without warnings, which belong to one run.
fn json(lead: &Lead) -> serde_json::Result<String> {
    if lead.warnings.is_empty() {
        return serde_json::to_string(lead);
    }
    serde_json::to_string(&Lead { warnings: Vec::new(), ..lead.clone() })
}

/// Leads as columns for UNNEST.
struct Columns<'a> {
    ids: Vec<LeadId>,
    rows: Vec<i64>,
    companies: Vec<Option<&'a str>>,
    contacts: Vec<Option<&'a str>>,
    emails: Vec<Option<&'a str>>,
    phones: Vec<Option<&'a str>>,
    states: Vec<Option<&'a str>>,
    sics: Vec<Option<&'a str>>,
    data: Vec<String>,
}

impl<'a> Columns<'a> {
    fn of(leads: impl Iterator<Item = &'a Lead> + Clone) -> Result<Self, sqlx::Error> {
        let data = leads.clone().map(json).collect::<Result<_, _>>();
        let column = |of: fn(&Lead) -> Option<&str>| leads.clone().map(of).collect();
        Ok(Self {
            ids: leads.clone().map(|lead| lead.lead_id).collect(),
            rows: leads.clone().map(|lead| i64::try_from(lead.row).unwrap_or(i64::MAX)).collect(),
            companies: column(|lead| lead.firm.company_name.as_deref()),
            contacts: column(|lead| lead.who.contact_name.as_deref()),
            emails: column(|lead| lead.who.email.as_deref()),
            phones: column(|lead| lead.phones.first().map(|phone| phone.number.as_str())),
            states: column(Lead::state),
            sics: column(|lead| lead.firm.sic_code.as_deref()),
            data: data.map_err(|error| sqlx::Error::Encode(Box::new(error)))?,
        })
    }
}
