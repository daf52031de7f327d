//! Table `erasures`, and the SQL functions that know every table with data of people.

use std::collections::BTreeMap;

use luci_config::vault::{Purpose, Sealed, Vault, VaultError};
use luci_schema::{ErasureId, LeadId, Micros, RunId, TenantId, event::ErasedObject};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{
    journal::ErasureEntry,
    pending::{PendingErasure, Repeated, Who},
    person::{Named, Person},
};

/// An erasure as the API shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    pub erasure_id: ErasureId,
    /// `pending` or `completed`.
    pub status: String,
    /// `leadId`, `phone` or `email`.
    pub named_by: String,
    pub requested_by: String,
    pub requested_at: String,
    /// Runs that must end first.
    pub waiting_for: Vec<RunId>,
    /// Objects that were rewritten or removed, and rows that were removed, so far.
    pub objects: i64,
    pub rows: i64,
    pub completed_at: Option<String>,
    /// Why the last try did not get to the end.
    pub error: Option<String>,
    /// When it was entered again, because the database was restored to a state before it.
    pub repeated_at: Option<String>,
}

pub(super) async fn insert(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    (id, named, person): (ErasureId, &Named, &Person),
    requested_by: &str,
) -> Result<(), VaultError> {
    let Sealed { bytes, key_version } = seal(c, tenant, vault, (&Who::Named(named.clone()), person)).await?;
    sqlx::query(
        "insert into erasures (tenant_id, id, named_by, person_sealed, person_key_version, requested_by, lead_ids)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant)
    .bind(id)
    .bind(named.by())
    .bind(bytes)
    .bind(key_version)
    .bind(requested_by)
    .bind(person.lead_ids())
    .execute(c)
    .await?;
    Ok(())
}

/// Enters an erasure of which the database knows nothing any more, or not how far it went; one that is complete stays.
pub(super) async fn insert_again(
    c: &mut PgConnection,
    vault: &Vault,
    entry: &ErasureEntry,
    objects: Vec<ErasedObject>,
) -> Result<(), VaultError> {
    let person = Person::of_leads(entry.person.leads.clone());
    let who = Who::Hashed(Box::new(Repeated { person: entry.person.clone(), objects, recorded: false }));
    let Sealed { bytes, key_version } = seal(c, entry.tenant_id, vault, (&who, &person)).await?;
    sqlx::query(
        "insert into erasures (tenant_id, id, named_by, person_sealed, person_key_version, requested_by, lead_ids,
                               requested_at, repeated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, now())
         on conflict (tenant_id, id) do update
            set person_sealed = excluded.person_sealed, person_key_version = excluded.person_key_version,
                lead_ids = excluded.lead_ids, repeated_at = excluded.repeated_at
          where erasures.status = 'pending'",
    )
    .bind(entry.tenant_id)
    .bind(entry.erasure_id)
    .bind(&entry.named_by)
    .bind(bytes)
    .bind(key_version)
    .bind(&entry.requested_by)
    .bind(person.lead_ids())
    .bind(entry.requested_at_micros.date_time())
    .execute(c)
    .await?;
    Ok(())
}

/// Every erasure that the database has of a tenant, and whether it is complete.
pub(super) async fn known(c: &mut PgConnection, tenant: TenantId) -> Result<BTreeMap<ErasureId, bool>, sqlx::Error> {
    let sql = "select id, status = 'completed' from erasures where tenant_id = $1";
    Ok(sqlx::query_as(sql).bind(tenant).fetch_all(c).await?.into_iter().collect())
}

async fn seal(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    person: (&Who, &Person),
) -> Result<Sealed, VaultError> {
    let text = serde_json::to_string(&person).map_err(|_| VaultError::DoesNotOpen)?;
    vault.seal(c, tenant, Purpose::Erasure, &text.into()).await
}

/// What a later pass must know too: rows that said it are removed.
pub(super) async fn keep(c: &mut PgConnection, vault: &Vault, erasure: &PendingErasure) -> Result<(), VaultError> {
    let Sealed { bytes, key_version } = seal(c, erasure.tenant, vault, (&erasure.who, &erasure.person)).await?;
    sqlx::query(
        "update erasures set person_sealed = $3, person_key_version = $4, lead_ids = $5 where tenant_id = $1 and id = $2",
    )
    .bind(erasure.tenant)
    .bind(erasure.id)
    .bind(bytes)
    .bind(key_version)
    .bind(erasure.person.lead_ids())
    .execute(c)
    .await?;
    Ok(())
}

/// The oldest pending erasures of all tenants.
pub(super) async fn pending(c: &mut PgConnection, vault: &Vault) -> Result<Vec<PendingErasure>, VaultError> {
    let rows = sqlx::query(
        "select tenant_id, id, named_by, requested_by, requested_at, person_sealed, person_key_version from erasures
          where status = 'pending' and person_sealed is not null order by requested_at limit 20",
    )
    .fetch_all(&mut *c)
    .await?;
    let mut found = Vec::new();
    for row in rows {
        let (tenant, id): (TenantId, ErasureId) = (row.try_get("tenant_id")?, row.try_get("id")?);
        let sealed = Sealed { bytes: row.try_get("person_sealed")?, key_version: row.try_get("person_key_version")? };
        let text = vault.open(c, tenant, Purpose::Erasure, &sealed).await?;
        let read = serde_json::from_str(text.expose_secret());
        let (who, person) = read.map_err(|_| VaultError::DoesNotOpen)?;
        found.push(PendingErasure {
            tenant,
            id,
            named_by: row.try_get("named_by")?,
            requested_by: row.try_get("requested_by")?,
            requested_at: row.try_get::<OffsetDateTime, _>("requested_at")?.into(),
            who,
            person,
        });
    }
    Ok(found)
}

/// Why the erasure does not go on now.
pub(super) async fn waits(
    c: &mut PgConnection,
    (tenant, id): (TenantId, ErasureId),
    runs: &[RunId],
    error: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update erasures set waiting_for = $3, error = $4
          where tenant_id = $1 and id = $2 and (waiting_for, error) is distinct from ($3, $4)",
    )
    .bind(tenant)
    .bind(id)
    .bind(runs)
    .bind(error)
    .execute(c)
    .await?;
    Ok(())
}

pub(super) async fn count(
    c: &mut PgConnection,
    (tenant, id): (TenantId, ErasureId),
    objects: usize,
    rows: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query("update erasures set objects = objects + $3, rows = rows + $4 where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .bind(i64::try_from(objects).unwrap_or(i64::MAX))
        .bind(i64::try_from(rows).unwrap_or(i64::MAX))
        .execute(c)
        .await?;
    Ok(())
}

/// Ends it: nothing that names the person stays in the row.
pub(super) async fn complete(c: &mut PgConnection, tenant: TenantId, id: ErasureId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update erasures set status = 'completed', completed_at = now(), person_sealed = null, person_key_version = null,
                             waiting_for = '{}', error = null where tenant_id = $1 and id = $2",
    )
    .bind(tenant)
    .bind(id)
    .execute(c)
    .await?;
    Ok(())
}

/// Erasures, the newest first, older than `before`.
pub async fn list(
    c: &mut PgConnection,
    tenant: TenantId,
    before: Option<ErasureId>,
    limit: u32,
) -> Result<Vec<Erasure>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, status, named_by, requested_by, requested_at, waiting_for, objects, rows, completed_at, error, repeated_at
           from erasures where tenant_id = $1 and ($2::text is null or id < $2) order by id desc limit $3",
    )
    .bind(tenant)
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Erasure, sqlx::Error> {
    let at = |column: &str| {
        row.try_get::<Option<OffsetDateTime>, _>(column).map(|at| at.map(|at| Micros::from(at).rfc3339()))
    };
    Ok(Erasure {
        erasure_id: row.try_get("id")?,
        status: row.try_get("status")?,
        named_by: row.try_get("named_by")?,
        requested_by: row.try_get("requested_by")?,
        requested_at: Micros::from(row.try_get::<OffsetDateTime, _>("requested_at")?).rfc3339(),
        waiting_for: row.try_get("waiting_for")?,
        objects: row.try_get("objects")?,
        rows: row.try_get("rows")?,
        completed_at: at("completed_at")?,
        error: row.try_get("error")?,
        repeated_at: at("repeated_at")?,
    })
}

/// Whether a lead was erased before: then it is no unknown id.
pub(super) async fn has_lead(c: &mut PgConnection, tenant: TenantId, lead: LeadId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from erasures where tenant_id = $1 and $2 = any (lead_ids))")
        .bind(tenant)
        .bind(lead)
        .fetch_one(c)
        .await
}

/// Removes the person's rows of every table; how many of each.
pub(super) async fn remove_rows(
    c: &mut PgConnection,
    tenant: TenantId,
    person: &Person,
) -> Result<BTreeMap<String, u64>, sqlx::Error> {
    let (phones, emails): (Vec<&String>, Vec<&String>) =
        (person.phones.iter().collect(), person.emails.iter().collect());
    let removed: Vec<(String, i64)> =
        sqlx::query_as("select table_name, removed from erase_person_rows($1, $2, $3, $4)")
            .bind(tenant)
            .bind(person.lead_ids())
            .bind(phones)
            .bind(emails)
            .fetch_all(c)
            .await?;
    Ok(removed.into_iter().filter(|(_, n)| *n > 0).map(|(table, n)| (table, n.unsigned_abs())).collect())
}

pub(super) async fn sends_in_flight(
    c: &mut PgConnection,
    tenant: TenantId,
    person: &Person,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select person_sends_in_flight($1, $2)").bind(tenant).bind(person.lead_ids()).fetch_one(c).await
}

/// The person's rows of every table, as JSON by table.
pub(super) async fn rows(
    c: &mut PgConnection,
    tenant: TenantId,
    person: &Person,
) -> Result<BTreeMap<String, Vec<serde_json::Value>>, sqlx::Error> {
    let found: Vec<(String, sqlx::types::Json<serde_json::Value>)> =
        sqlx::query_as("select table_name, content from person_rows($1, $2, $3, $4)")
            .bind(tenant)
            .bind(person.lead_ids())
            .bind(person.all_phones())
            .bind(person.all_emails())
            .fetch_all(c)
            .await?;
    let mut rows: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for (table, row) in found {
        rows.entry(table).or_default().push(row.0);
    }
    Ok(rows)
}
