//! Table `lead_keys`: which lead holds which dedupe key.

use std::collections::HashMap;

use luci_schema::{LeadId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};

use crate::validate::{dedupe::Holder, keys::Key};

/// Locks the keys of the tenant until the transaction ends: two files with the same phone number, validated at the same time,
/// must not create two leads.
pub async fn lock(c: &mut PgConnection, tenant: TenantId) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('lead_keys:' || $1, 0))")
        .bind(tenant)
        .execute(c)
        .await?;
    Ok(())
}

/// The holders of these keys, one for each key and lead, the oldest lead of a key first.
pub async fn holders(
    c: &mut PgConnection,
    tenant: TenantId,
    keys: &[Key],
) -> Result<HashMap<Key, Vec<Holder>>, sqlx::Error> {
    let rows = sqlx::query(
        "select distinct on (held.key, held.lead_id) held.* from unnest($2::bytea[]) as requested (key)
          cross join lateral (select key, root_input_id, row_number, lead_id from lead_keys
                               where tenant_id = $1 and key = requested.key offset 0) as held
          order by held.key, held.lead_id",
    )
    .bind(tenant)
    .bind(keys.iter().map(|key| &key[..]).collect::<Vec<_>>())
    .fetch_all(c)
    .await?;
    by_key(&rows)
}

/// The holders of these keys that decide on rows of an input: for each key the row of the same input, and the oldest lead of
/// other inputs. At most two a key, however many inputs brought it.
pub async fn holders_for_input(
    c: &mut PgConnection,
    tenant: TenantId,
    root_input_id: &str,
    keys: &[Key],
) -> Result<HashMap<Key, Vec<Holder>>, sqlx::Error> {
    let rows = sqlx::query(
        "select distinct on (held.key, held.root_input_id = $2) held.* from unnest($3::bytea[]) as requested (key)
          cross join lateral (select key, root_input_id, row_number, lead_id from lead_keys
                               where tenant_id = $1 and key = requested.key offset 0) as held
          order by held.key, held.root_input_id = $2, held.lead_id",
    )
    .bind(tenant)
    .bind(root_input_id)
    .bind(keys.iter().map(|key| &key[..]).collect::<Vec<_>>())
    .fetch_all(c)
    .await?;
    by_key(&rows)
}

fn by_key(rows: &[PgRow]) -> Result<HashMap<Key, Vec<Holder>>, sqlx::Error> {
    let mut held: HashMap<Key, Vec<Holder>> = HashMap::new();
    for row in rows {
        let bytes: &[u8] = row.try_get("key")?;
        // A check constraint allows only sixteen bytes.
        let Ok(key) = Key::try_from(bytes) else { continue };
        let number = u64::try_from(row.try_get::<i64, _>("row_number")?).unwrap_or(0);
        let holder =
            Holder { root_input_id: row.try_get("root_input_id")?, row: number, lead_id: row.try_get("lead_id")? };
        held.entry(key).or_default().push(holder);
    }
    Ok(held)
}

/// Claims keys for leads; keys that this input holds already are unchanged.
pub async fn claim(
    c: &mut PgConnection,
    tenant: TenantId,
    root_input_id: &str,
    claims: &[(Key, u64, LeadId)],
) -> Result<(), sqlx::Error> {
    // In key order each page of the index is visited once.
    let mut claims: Vec<&(Key, u64, LeadId)> = claims.iter().collect();
    claims.sort_unstable_by_key(|claim| claim.0);
    sqlx::query(
        "insert into lead_keys (tenant_id, root_input_id, key, row_number, lead_id)
         select $1, $2, unnest($3::bytea[]), unnest($4::bigint[]), unnest($5::text[])
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(root_input_id)
    .bind(claims.iter().map(|claim| &claim.0[..]).collect::<Vec<_>>())
    .bind(claims.iter().map(|claim| i64::try_from(claim.1).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .bind(claims.iter().map(|claim| claim.2).collect::<Vec<_>>())
    .execute(c)
    .await?;
    Ok(())
}
