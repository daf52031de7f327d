//! Table `contacts`: the people whom providers found for leads.

use luci_schema::{ContactId, LeadId, Micros, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use crate::Lead;

/// A person as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    pub contact_id: ContactId,
    /// The provider that found the person.
    pub source: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub title: Option<String>,
    pub seniority: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub linkedin_url: Option<String>,
    pub updated_at: String,
}

/// The contacts of a lead by source; at most one a provider.
pub async fn of_lead(c: &mut PgConnection, tenant: TenantId, lead: LeadId) -> Result<Vec<Contact>, sqlx::Error> {
    let rows = sqlx::query("select * from contacts where tenant_id = $1 and lead_id = $2 order by source")
        .bind(tenant)
        .bind(lead)
        .fetch_all(c)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Contact {
                contact_id: row.try_get("id")?,
                source: row.try_get("source")?,
                first_name: row.try_get("first_name")?,
                last_name: row.try_get("last_name")?,
                title: row.try_get("title")?,
                seniority: row.try_get("seniority")?,
                email: row.try_get("email")?,
                phone: row.try_get("phone")?,
                linkedin_url: row.try_get("linkedin_url")?,
                updated_at: Micros::from(row.try_get::<OffsetDateTime, _>("updated_at")?).rfc3339(),
            })
        })
        .collect()
}

/// Upserts the contact of each lead from `source`. Fields that a newer answer lacks are kept. Erased leads are skipped.
pub async fn save(c: &mut PgConnection, tenant: TenantId, source: &str, leads: &[Lead]) -> Result<(), sqlx::Error> {
    let text = |field: fn(&Lead) -> Option<&str>| leads.iter().map(field).collect::<Vec<_>>();
    sqlx::query(
        "insert into contacts (tenant_id, source, id, lead_id, first_name, last_name, title, seniority, email, phone,
                               linkedin_url)
         select $1, $2, person.*
           from (select unnest($3::text[]), unnest($4::text[]) as lead_id, unnest($5::text[]), unnest($6::text[]),
                        unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::text[]),
                        unnest($11::text[])) as person
          cross join lateral (select from leads where tenant_id = $1 and leads.id = person.lead_id
                                 for key share offset 0) as stored
         on conflict (tenant_id, lead_id, source) do update
            set first_name = coalesce(excluded.first_name, contacts.first_name),
                last_name = coalesce(excluded.last_name, contacts.last_name),
                title = coalesce(excluded.title, contacts.title),
                seniority = coalesce(excluded.seniority, contacts.seniority),
                email = coalesce(excluded.email, contacts.email), phone = coalesce(excluded.phone, contacts.phone),
                linkedin_url = coalesce(excluded.linkedin_url, contacts.linkedin_url), updated_at = now()",
    )
    .bind(tenant)
    .bind(source)
    // A lead has one contact for each source, so the lead's ULID can serve as the contact's.
    .bind(leads.iter().map(|lead| ContactId::from_ulid(lead.lead_id.ulid())).collect::<Vec<_>>())
    .bind(leads.iter().map(|lead| lead.lead_id).collect::<Vec<_>>())
    .bind(text(|lead| lead.who.first_name.as_deref()))
    .bind(text(|lead| lead.who.last_name.as_deref()))
    .bind(text(|lead| lead.who.title.as_deref()))
    .bind(text(|lead| lead.who.seniority.map(|s| s.as_str())))
    .bind(text(|lead| lead.who.email.as_deref()))
    .bind(text(|lead| lead.phones.iter().find(|phone| phone.usable()).map(|phone| phone.number.as_str())))
    .bind(text(|lead| lead.who.linkedin_url.as_deref()))
    .execute(c)
    .await?;
    Ok(())
}
