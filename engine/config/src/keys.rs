//! Table `api_keys`. Only the SHA-256 of a key is stored.

use luci_schema::{
    ActorId, ConfigEvent, Hash, KeyId, Micros, Position, SessionId, TenantId, Version,
    event::{KeyCreated, KeyRevoked},
    log::{Log, NewReceipt},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::{
    AdminError, By, Role,
    change::{Change, record},
    secret,
};

/// The request for a key.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub actor: ActorId,
    pub name: String,
    pub role: Role,
    /// Operation groups that the key is limited to; empty: all that the role allows.
    pub scopes: Vec<String>,
    pub expires_at: Option<Micros>,
}

/// A new key. Its secret is returned once and stored nowhere.
#[derive(Debug)]
pub struct IssuedKey {
    pub key_id: KeyId,
    pub secret: SecretString,
    pub position: Position,
}

/// The caller that a valid credential belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub tenant: TenantId,
    pub actor: ActorId,
    pub key: KeyId,
    pub role: Role,
    pub scopes: Vec<String>,
    /// When the key expires.
    pub key_expires_at: Option<Micros>,
    /// When the credential ends: the key, or the session before it.
    pub expires_at: Option<Micros>,
    /// The session that the caller signed in with; `None`: with the key itself.
    pub session: Option<SessionId>,
}

/// A key in a list, without its secret.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRow {
    pub key_id: KeyId,
    pub actor_id: ActorId,
    pub name: String,
    pub prefix: String,
    pub role: Role,
    pub scopes: Vec<String>,
    pub created_at: String,
    pub expires_at: Option<String>,
    pub revoked_at: Option<String>,
    pub last_used_at: Option<String>,
}

/// Creates a key and appends `key:created` in the caller's transaction. `receipt` is stored for the command's idempotency key.
pub async fn create(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    new: &NewKey,
    by: &By,
    receipt: impl FnOnce(KeyId) -> Option<NewReceipt>,
) -> Result<IssuedKey, AdminError> {
    let key_id = KeyId::generate();
    let text =
        secret::generate("luci").map_err(|error| AdminError::Invalid { field: "key", reason: error.to_string() })?;
    let hash = secret::digest(text.expose_secret());
    sqlx::query(
        "insert into api_keys (tenant_id, id, actor_id, name, secret_hash, prefix, role, scopes, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tenant)
    .bind(key_id)
    .bind(new.actor)
    .bind(&new.name)
    .bind(&hash[..])
    .bind(secret::shown_prefix(&text))
    .bind(new.role.as_str())
    .bind(&new.scopes)
    .bind(new.expires_at.map(Micros::date_time))
    .execute(&mut *c)
    .await?;
    let created =
        KeyCreated { key_id, actor_id: new.actor, role: new.role.as_str().into(), expires_at_micros: new.expires_at };
    let change = Change::first(key_id, vec![ConfigEvent::KeyCreated(created).into()]).with_receipt(receipt(key_id));
    let position = record(log, c, tenant, change, by).await?;
    Ok(IssuedKey { key_id, secret: text, position })
}

/// The columns that `read_holder` reads, of a key that is valid now.
macro_rules! valid_key {
    ($condition:literal) => {
        concat!(
            "select k.tenant_id, k.actor_id, k.id, k.role, k.scopes, k.expires_at, k.expires_at, null::text
               from api_keys k
               join tenants t on t.id = k.tenant_id and t.status = 'active'
               join actors a on a.tenant_id = k.tenant_id and a.id = k.actor_id and a.disabled_at is null
              where k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and ",
            $condition
        )
    };
}

/// The holder of the key with this hash, unless it is revoked or expired or its tenant or actor is inactive.
/// The one query without a tenant: it finds the tenant.
pub async fn holder(c: &mut PgConnection, hash: &Hash) -> Result<Option<Holder>, AdminError> {
    let row = sqlx::query(valid_key!("k.secret_hash = $1")).bind(&hash[..]).fetch_optional(c).await?;
    row.map(|row| read_holder(&row)).transpose()
}

/// The same by the key's id, for what was derived from the key and does not contain it.
pub async fn holder_by_id(c: &mut PgConnection, tenant: TenantId, key: KeyId) -> Result<Option<Holder>, AdminError> {
    let row =
        sqlx::query(valid_key!("k.tenant_id = $1 and k.id = $2")).bind(tenant).bind(key).fetch_optional(c).await?;
    row.map(|row| read_holder(&row)).transpose()
}

/// Reads (tenant_id, actor_id, id, role, scopes, when key and credential end, session); used by `sessions` too.
pub(super) fn read_holder(row: &PgRow) -> Result<Holder, AdminError> {
    Ok(Holder {
        tenant: row.try_get(0)?,
        actor: row.try_get(1)?,
        key: row.try_get(2)?,
        role: read_role(row.try_get(3)?)?,
        scopes: row.try_get(4)?,
        key_expires_at: row.try_get::<Option<OffsetDateTime>, _>(5)?.map(Micros::from),
        expires_at: row.try_get::<Option<OffsetDateTime>, _>(6)?.map(Micros::from),
        session: row.try_get(7)?,
    })
}

fn read_role(text: &str) -> Result<Role, AdminError> {
    text.parse().map_err(|error: crate::role::UnknownRole| AdminError::Database(sqlx::Error::Decode(Box::new(error))))
}

/// Updates `last_used_at`, at most once a minute.
pub async fn touch(c: &mut PgConnection, tenant: TenantId, key: KeyId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update api_keys set last_used_at = now()
          where tenant_id = $1 and id = $2 and (last_used_at is null or last_used_at < now() - interval '1 minute')",
    )
    .bind(tenant)
    .bind(key)
    .execute(c)
    .await?;
    Ok(())
}

/// The tenant's keys, newest first, at most 500.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<KeyRow>, AdminError> {
    let rows = sqlx::query(
        "select id, actor_id, name, prefix, role, scopes, created_at, expires_at, revoked_at, last_used_at
           from api_keys where tenant_id = $1 order by id desc limit 500",
    )
    .bind(tenant)
    .fetch_all(c)
    .await?;
    rows.iter().map(read_row).collect()
}

fn read_row(row: &PgRow) -> Result<KeyRow, AdminError> {
    let at = |index: usize| -> Result<Option<String>, sqlx::Error> {
        Ok(row.try_get::<Option<OffsetDateTime>, _>(index)?.map(|at| Micros::from(at).rfc3339()))
    };
    Ok(KeyRow {
        key_id: row.try_get(0)?,
        actor_id: row.try_get(1)?,
        name: row.try_get(2)?,
        prefix: row.try_get(3)?,
        role: read_role(row.try_get(4)?)?,
        scopes: row.try_get(5)?,
        created_at: at(6)?.unwrap_or_default(),
        expires_at: at(7)?,
        revoked_at: at(8)?,
        last_used_at: at(9)?,
    })
}

/// The role of a key, valid or not.
pub async fn role_of(c: &mut PgConnection, tenant: TenantId, key: KeyId) -> Result<Option<Role>, AdminError> {
    let role: Option<String> = sqlx::query_scalar("select role from api_keys where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(key)
        .fetch_optional(c)
        .await?;
    role.as_deref().map(read_role).transpose()
}

/// Revokes a key and every session opened with it. `None`: it was revoked before, nothing is appended.
pub async fn revoke(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    key: KeyId,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Option<Position>, AdminError> {
    let done: Option<bool> = sqlx::query_scalar(
        "with was as (select id, revoked_at from api_keys where tenant_id = $1 and id = $2 for update),
              now_revoked as (update api_keys k set revoked_at = now() from was
                               where k.tenant_id = $1 and k.id = was.id and was.revoked_at is null)
         select revoked_at is not null from was",
    )
    .bind(tenant)
    .bind(key)
    .fetch_optional(&mut *c)
    .await?;
    match done {
        None => Err(AdminError::NotFound("key")),
        Some(true) => Ok(None),
        Some(false) => {
            let events = vec![ConfigEvent::KeyRevoked(KeyRevoked { key_id: key }).into()];
            let change = Change::after(key, Version(1), events).with_receipt(receipt);
            record(log, c, tenant, change, by).await.map(Some)
        }
    }
}
