//! Table `lead_keys`: who holds which dedupe key.

use std::collections::HashMap;

use luci_schema::{LeadId, TenantId};
use sqlx::{PgConnection, Row};

use crate::lead::{dedupe::Holder, keys::Key};

/// Until the transaction ends, no other block of this tenant claims keys: two files with the same phone, validated at
/// the same moment, must not make two leads of it.
pub async fn lock(c: &mut PgConnection, tenant: TenantId) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('lead_keys:' || $1, 0))")
        .bind(tenant)
        .execute(c)
        .await?;
    Ok(())
}

/// The holders of these keys, the oldest lead first.
pub async fn holders(
    c: &mut PgConnection,
    tenant: TenantId,
    keys: &[Key],
) -> Result<HashMap<Key, Vec<Holder>>, sqlx::Error> {
    let rows = sqlx::query(
        "select held.* from unnest($2::bytea[]) as asked (key)
          cross join lateral (select key, root_input_id, row_number, lead_id from lead_keys
                               where tenant_id = $1 and key = asked.key offset 0) as held
          order by held.lead_id",
    )
    .bind(tenant)
    .bind(keys.iter().map(|key| &key[..]).collect::<Vec<_>>())
    .fetch_all(c)
    .await?;
    let mut held: HashMap<Key, Vec<Holder>> = HashMap::new();
    for row in rows {
        let bytes: &[u8] = row.try_get("key")?;
        // The table admits sixteen bytes only.
        let Ok(key) = Key::try_from(bytes) else { continue };
        let number = u64::try_from(row.try_get::<i64, _>("row_number")?).unwrap_or(0);
        let holder =
            Holder { root_input_id: row.try_get("root_input_id")?, row: number, lead_id: row.try_get("lead_id")? };
        held.entry(key).or_default().push(holder);
    }
    Ok(held)
}

/// Claims keys for leads; what this input holds already stays as it is.
pub async fn claim(
    c: &mut PgConnection,
    tenant: TenantId,
    root_input_id: &str,
    claims: &[(Key, u64, LeadId)],
) -> Result<(), sqlx::Error> {
    // In key order the pages of the index are each visited once.
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
