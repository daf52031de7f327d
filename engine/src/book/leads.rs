//! Table `leads`: one row a lead, the lead itself as JSON beside the columns that lists go by.
//!
//! Each statement names its rows by the whole primary key, one by one (`lateral … offset 0`, `on conflict`, a tenant that
//! the planner learns of with each row): that is the only plan there is. With `id = any(…)` or a simple join, the plan that a connection makes while the table is new reads
//! all rows of the tenant for each block, and it keeps that plan until the table is analysed.

use std::collections::{HashMap, HashSet};

use luci_schema::{LeadId, SectorId, TenantId};
use sqlx::{PgConnection, Row};

use crate::lead::Lead;

pub mod page;

/// The leads that are there already.
pub async fn load(
    c: &mut PgConnection,
    tenant: TenantId,
    ids: &[LeadId],
) -> Result<HashMap<LeadId, Lead>, sqlx::Error> {
    let rows = sqlx::query(
        "select known.id, known.data::text as data from unnest($2::text[]) as asked (id)
          cross join lateral (select id, data from leads where tenant_id = $1 and id = asked.id offset 0) as known",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, decode(row, "data")?))).collect()
}

/// Writes leads as they stand now, new ones and known ones. Root input and row of a known lead stay those that first
/// brought it; so do status, sector and score.
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

/// Writes leads as a run knows them by now. What it does not know of sector and score stays. A lead that was erased
/// meanwhile stays erased.
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

/// Members of a sector that are not dnc, behind `after`, in lead-id order.
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

/// How many members a run from the sector would read.
pub async fn count_members(c: &mut PgConnection, tenant: TenantId, sector: SectorId) -> Result<u64, sqlx::Error> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from leads where tenant_id = $1 and sector_id = $2 and status <> 'dnc'")
            .bind(tenant)
            .bind(sector)
            .fetch_one(c)
            .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Those of the leads that may be contacted: they are there, and not dnc. To the end of the transaction none of them can be
/// erased, so that rows which name them may be written.
pub async fn contactable(
    c: &mut PgConnection,
    tenant: TenantId,
    ids: &[LeadId],
) -> Result<HashSet<LeadId>, sqlx::Error> {
    let found: Vec<LeadId> = sqlx::query_scalar(
        "select known.id from unnest($2::text[]) as asked (id)
              cross join lateral (select id, status from leads where tenant_id = $1 and id = asked.id
                                     for key share offset 0) as known
              where known.status <> 'dnc'",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(c)
    .await?;
    Ok(found.into_iter().collect())
}

/// A new lead was written to or called.
pub async fn contacted(c: &mut PgConnection, tenant: TenantId, id: LeadId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update leads set status = 'contacted', updated_at = now() where tenant_id = $1 and id = $2 and status = 'new'",
    )
    .bind(tenant)
    .bind(id)
    .execute(c)
    .await?;
    Ok(())
}

/// The leads must not be contacted any more, for ever.
pub async fn forbid(c: &mut PgConnection, tenant: TenantId, ids: &[LeadId]) -> Result<(), sqlx::Error> {
    sqlx::query("update leads set status = 'dnc', updated_at = now() where tenant_id = $1 and id = any($2)")
        .bind(tenant)
        .bind(ids)
        .execute(c)
        .await?;
    Ok(())
}

/// Those who asked to be written to again may be.
pub async fn allow(c: &mut PgConnection, tenant: TenantId, ids: &[LeadId]) -> Result<(), sqlx::Error> {
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

fn decode(row: &sqlx::postgres::PgRow, column: &str) -> Result<Lead, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Warnings are of one run, the book is for all.
fn text(lead: &Lead) -> serde_json::Result<String> {
    if lead.warnings.is_empty() {
        return serde_json::to_string(lead);
    }
    serde_json::to_string(&Lead { warnings: Vec::new(), ..lead.clone() })
}

/// Leads turned into columns for UNNEST.
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
        let data = leads.clone().map(text).collect::<Result<_, _>>();
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
