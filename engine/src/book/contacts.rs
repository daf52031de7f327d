//! Table `contacts`: the people whom providers named for leads.

use luci_schema::{ContactId, TenantId};
use sqlx::PgConnection;

use crate::lead::Lead;

/// Writes the person of each lead as `source` named it; one a lead and source, the newest answer stands.
pub async fn save(c: &mut PgConnection, tenant: TenantId, source: &str, leads: &[Lead]) -> Result<(), sqlx::Error> {
    let text = |field: fn(&Lead) -> Option<&str>| leads.iter().map(field).collect::<Vec<_>>();
    sqlx::query(
        "insert into contacts (tenant_id, source, id, lead_id, first_name, last_name, title, seniority, email, phone,
                               linkedin_url)
         select $1, $2, person.* from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                                             $9::text[], $10::text[], $11::text[])
                        as person (id, lead_id, first_name, last_name, title, seniority, email, phone, linkedin_url)
          cross join lateral (select from leads where tenant_id = $1 and leads.id = person.lead_id
                                 for key share offset 0) as known
         on conflict (tenant_id, lead_id, source) do update
            set first_name = excluded.first_name, last_name = excluded.last_name, title = excluded.title,
                seniority = excluded.seniority, email = excluded.email, phone = excluded.phone,
                linkedin_url = excluded.linkedin_url, updated_at = now()",
    )
    .bind(tenant)
    .bind(source)
    // A lead has one contact of a source: the lead's own ULID under the contact's prefix names it.
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
