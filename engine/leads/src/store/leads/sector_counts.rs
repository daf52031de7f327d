//! Counts of a sector's leads: by place and trade, and how many were enriched.

use std::collections::BTreeMap;

use luci_schema::{SectorId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row};

/// The members of a sector in counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SectorCounts {
    pub total: u64,
    pub enriched: u64,
    pub skip_traced: u64,
    pub by: PlaceCounts,
}

/// Leads by place and trade; a lead without the field is in none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlaceCounts {
    pub by_state: BTreeMap<String, u64>,
    pub by_county: BTreeMap<String, u64>,
    pub by_city: BTreeMap<String, u64>,
    pub by_sic_code: BTreeMap<String, u64>,
}

/// All members and the enriched ones, without reading the leads.
pub async fn totals(c: &mut PgConnection, tenant: TenantId, sector: SectorId) -> Result<SectorCounts, sqlx::Error> {
    let (total, enriched): (i64, i64) = sqlx::query_as(
        "select count(*), count(*) filter (where enrichment_status = 'completed') from leads
          where tenant_id = $1 and sector_id = $2",
    )
    .bind(tenant)
    .bind(sector)
    .fetch_one(c)
    .await?;
    let number = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(SectorCounts { total: number(total), enriched: number(enriched), ..SectorCounts::default() })
}

/// Counts the members of a sector. Only the 1,000 most frequent values of each kind are named.
pub async fn of(c: &mut PgConnection, tenant: TenantId, sector: SectorId) -> Result<SectorCounts, sqlx::Error> {
    let rows = sqlx::query(
        "with members as materialized (
             select state, sic_code, data #>> '{address,county}' as county, data #>> '{address,city}' as city,
                    enrichment_status = 'completed' as enriched,
                    coalesce((data -> 'matchedBy')::jsonb ?| array['realestate', 'tracerfy'], false) as traced
               from leads where tenant_id = $1 and sector_id = $2),
         counted as (
             select case when grouping(state) = 0 then 'state' when grouping(county) = 0 then 'county'
                         when grouping(city) = 0 then 'city' when grouping(sic_code) = 0 then 'sic' else 'all' end as kind,
                    coalesce(state, county, city, sic_code) as name, count(*) as leads,
                    count(*) filter (where enriched) as enriched, count(*) filter (where traced) as traced
               from members group by grouping sets ((state), (county), (city), (sic_code), ()))
         select kind, name, leads, enriched, traced
           from (select *, row_number() over (partition by kind order by leads desc, name) as place from counted) as ranked
          where kind = 'all' or (name is not null and place <= 1000)",
    )
    .bind(tenant)
    .bind(sector)
    .fetch_all(c)
    .await?;
    let mut counts = SectorCounts::default();
    for row in rows {
        let number = |column: &str| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
        let (kind, name): (&str, Option<String>) = (row.try_get("kind")?, row.try_get("name")?);
        let leads = number("leads")?;
        let group = match kind {
            "state" => &mut counts.by.by_state,
            "county" => &mut counts.by.by_county,
            "city" => &mut counts.by.by_city,
            "sic" => &mut counts.by.by_sic_code,
            _ => {
                (counts.total, counts.enriched, counts.skip_traced) = (leads, number("enriched")?, number("traced")?);
                continue;
            }
        };
        group.extend(name.map(|name| (name, leads)));
    }
    Ok(counts)
}
