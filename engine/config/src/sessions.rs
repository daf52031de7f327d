//! Table `sessions`: browsers that signed in with a key. A session ends when it expires or its key is revoked.

use std::time::Duration;

use luci_schema::{Hash, Micros, SessionId, TenantId};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

use crate::{
    AdminError,
    keys::{Holder, read_holder},
    secret,
};

/// How long a browser stays signed in.
pub const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Opens a session for the holder of a key. The secret goes into a cookie; its hash is stored.
pub async fn open(c: &mut PgConnection, holder: &Holder) -> Result<(SecretString, Micros), AdminError> {
    let text = secret::generate("sess")
        .map_err(|error| AdminError::Invalid { field: "session", reason: error.to_string() })?;
    let hash = secret::digest(text.expose_secret());
    sqlx::query("delete from sessions where expires_at < now()").execute(&mut *c).await?;
    let expires: time::OffsetDateTime = sqlx::query_scalar(
        "insert into sessions (tenant_id, id, key_id, secret_hash, expires_at)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5)) returning expires_at",
    )
    .bind(holder.tenant)
    .bind(SessionId::generate())
    .bind(holder.key)
    .bind(&hash[..])
    .bind(LIFETIME.as_secs_f64())
    .fetch_one(c)
    .await?;
    Ok((text, expires.into()))
}

/// The columns that `read_holder` reads, of a session that is valid now, as its key is.
macro_rules! valid_session {
    ($condition:literal) => {
        concat!(
            "select k.tenant_id, k.actor_id, k.id, k.role, k.scopes, k.expires_at, least(s.expires_at, k.expires_at), s.id
               from sessions s
               join api_keys k on k.tenant_id = s.tenant_id and k.id = s.key_id
               join tenants t on t.id = k.tenant_id and t.status = 'active'
               join actors a on a.tenant_id = k.tenant_id and a.id = k.actor_id and a.disabled_at is null
              where s.expires_at > now() and k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and ",
            $condition
        )
    };
}

/// The holder of the session with this hash, if it and its key are valid.
pub async fn holder(c: &mut PgConnection, hash: &Hash) -> Result<Option<Holder>, AdminError> {
    let row = sqlx::query(valid_session!("s.secret_hash = $1")).bind(&hash[..]).fetch_optional(c).await?;
    row.map(|row| read_holder(&row)).transpose()
}

/// The same by the session's id, for what was derived from the session and does not contain its secret.
pub async fn holder_by_id(
    c: &mut PgConnection,
    tenant: TenantId,
    session: SessionId,
) -> Result<Option<Holder>, AdminError> {
    let query = sqlx::query(valid_session!("s.tenant_id = $1 and s.id = $2")).bind(tenant).bind(session);
    query.fetch_optional(c).await?.map(|row| read_holder(&row)).transpose()
}

/// Deletes a session, if it exists.
pub async fn close(c: &mut PgConnection, hash: &Hash) -> Result<(), sqlx::Error> {
    sqlx::query("delete from sessions where secret_hash = $1").bind(&hash[..]).execute(c).await?;
    Ok(())
}
