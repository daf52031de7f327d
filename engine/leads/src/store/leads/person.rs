//! Finds the leads of one person, by their ids or by any number or address that they hold.

use luci_schema::{LeadId, TenantId};
use sqlx::{PgConnection, Row};

use super::decode;
use crate::Lead;

/// A lead, and the input that its id derives from.
#[derive(Debug, Clone)]
pub struct StoredLead {
    pub root_input_id: String,
    pub lead: Lead,
}

/// The leads with these ids.
pub async fn by_ids(c: &mut PgConnection, tenant: TenantId, ids: &[LeadId]) -> Result<Vec<StoredLead>, sqlx::Error> {
    let sql = "select root_input_id, data::text as data from leads where tenant_id = $1 and id = any($2) order by id";
    stored(sqlx::query(sql).bind(tenant).bind(ids).fetch_all(c).await?)
}

/// Leads in the order of their ids, after `after`.
pub async fn page(
    c: &mut PgConnection,
    tenant: TenantId,
    after: Option<LeadId>,
    limit: i64,
) -> Result<Vec<StoredLead>, sqlx::Error> {
    let sql = "select root_input_id, data::text as data from leads
                where tenant_id = $1 and ($2::text is null or id > $2) order by id limit $3";
    stored(sqlx::query(sql).bind(tenant).bind(after).bind(limit).fetch_all(c).await?)
}

/// The leads that hold one of these numbers (E.164) or addresses (lower case) anywhere. Reads all leads of the tenant.
pub async fn holding(
    c: &mut PgConnection,
    tenant: TenantId,
    contacts: &[&str],
) -> Result<Vec<StoredLead>, sqlx::Error> {
    let quoted: Vec<String> = contacts.iter().map(|contact| format!("\"{contact}\"")).collect();
    let sql = "select root_input_id, data::text as data from leads
                where tenant_id = $1 and (phone = any($2) or email = any($2)
                      or exists (select from unnest($3::text[]) as contact (text) where strpos(data::text, contact.text) > 0))
                order by id";
    stored(sqlx::query(sql).bind(tenant).bind(contacts).bind(quoted).fetch_all(c).await?)
}

fn stored(rows: Vec<sqlx::postgres::PgRow>) -> Result<Vec<StoredLead>, sqlx::Error> {
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(StoredLead { root_input_id: row.try_get("root_input_id")?, lead: decode(row, "data")? })
    };
    rows.iter().map(read).collect()
}
