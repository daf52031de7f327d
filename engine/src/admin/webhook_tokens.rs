//! Table `webhook_tokens`: addresses that providers call. A token is shown once and stored as its SHA-256; what its source
//! signs with is sealed.

use std::{fmt, str::FromStr};

use luci_schema::{
    AutomationId, BlockId, ConfigEvent, Hash, KeyId, Micros, Position, RunId, TenantId, Version,
    event::{TokenCreated, TokenRevoked, Trigger},
    log::{Log, NewReceipt},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{
    AdminError, By, automations,
    change::{Change, record},
    secret,
    vault::{Purpose as Sealing, Sealed, Vault},
};
use crate::webhooks::Source;

/// What deliveries to an address are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reports of what became of messages, messages that leads write, and whatever else a source tells.
    Status,
    /// Starts an automation.
    Automation(AutomationId),
    /// A block waits for the answer.
    Block { run: RunId, block: BlockId, attempt: u32 },
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Automation(id) => write!(f, "automation:{id}"),
            Self::Block { run, block, attempt } => write!(f, "block:{run}:{block}:{attempt}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`status`, `automation:ID` or `block:RUN:BLOCK:ATTEMPT`")]
pub struct UnknownPurpose;

impl FromStr for Purpose {
    type Err = UnknownPurpose;
    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["status"] => Ok(Self::Status),
            ["automation", id] => id.parse().map(Self::Automation).map_err(|_| UnknownPurpose),
            ["block", run, block, attempt] => Ok(Self::Block {
                run: run.parse().map_err(|_| UnknownPurpose)?,
                block: block.parse().map_err(|_| UnknownPurpose)?,
                attempt: attempt.parse().map_err(|_| UnknownPurpose)?,
            }),
            _ => Err(UnknownPurpose),
        }
    }
}

/// A token as it is asked for.
#[derive(Debug)]
pub struct NewToken {
    pub source: Source,
    pub purpose: Purpose,
    /// What the source signs with: a secret, or SendGrid's public key.
    pub signing: Option<SecretString>,
    pub expires_at: Option<Micros>,
}

/// A token that was just made. It is known here and nowhere else.
#[derive(Debug)]
pub struct IssuedToken {
    pub id: KeyId,
    pub token: SecretString,
    pub position: Position,
}

/// A token as it is listed: never its secret.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRow {
    pub token_id: KeyId,
    pub source: String,
    pub purpose: String,
    pub created_at: String,
    pub expires_at: Option<String>,
    pub revoked_at: Option<String>,
}

/// Whose address was called.
#[derive(Debug)]
pub struct Known {
    pub tenant: TenantId,
    pub source: Source,
    pub purpose: Purpose,
    pub signing: Option<SecretString>,
}

/// Makes a token inside the caller's transaction. Sources that sign must say what they sign with.
pub async fn create(
    c: &mut PgConnection,
    tenant: TenantId,
    (log, vault): (&Log, &Vault),
    new: &NewToken,
    by: &By,
    receipt: impl FnOnce(KeyId) -> Option<NewReceipt>,
) -> Result<IssuedToken, AdminError> {
    if new.signing.is_none() && new.source.must_sign() {
        let reason = format!("is missing: {} must sign what it sends", new.source);
        return Err(AdminError::Invalid { field: "signingSecret", reason });
    }
    if let Purpose::Automation(automation) = new.purpose {
        waits(c, tenant, automation).await?;
    }
    let id = KeyId::generate();
    let token =
        secret::fresh("hook").map_err(|error| AdminError::Invalid { field: "token", reason: error.to_string() })?;
    let sealed = match &new.signing {
        Some(secret) => Some(vault.seal(c, tenant, Sealing::Webhook(&id.to_string()), secret).await?),
        None => None,
    };
    sqlx::query(
        "insert into webhook_tokens (tenant_id, id, source, purpose, secret_hash, signing_sealed, signing_key_version,
                                     created_by, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tenant)
    .bind(id)
    .bind(new.source.as_str())
    .bind(new.purpose.to_string())
    .bind(&secret::digest(token.expose_secret())[..])
    .bind(sealed.as_ref().map(|sealed| &sealed.bytes[..]))
    .bind(sealed.as_ref().map(|sealed| sealed.key_version))
    .bind(by.actor.to_string())
    .bind(new.expires_at.map(Micros::date_time))
    .execute(&mut *c)
    .await?;
    let created = TokenCreated { token_id: id, source: new.source.as_str().into(), purpose: new.purpose.to_string() };
    let change = Change::first(id, vec![ConfigEvent::TokenCreated(created).into()]).remembered(receipt(id));
    Ok(IssuedToken { id, token, position: record(log, c, tenant, change, by).await? })
}

/// Whether deliveries can start the automation at all.
async fn waits(c: &mut PgConnection, tenant: TenantId, id: AutomationId) -> Result<(), AdminError> {
    let reason = match automations::get(c, tenant, id).await? {
        Some(found) if matches!(found.spec.trigger, Trigger::Webhook { .. }) => return Ok(()),
        Some(_) => "the automation's trigger is not `webhook`",
        None => "there is no automation with this id",
    };
    Err(AdminError::Invalid { field: "purpose", reason: reason.into() })
}

/// Whose token has this hash, when it is neither revoked nor expired. A question that finds the tenant.
pub async fn known(c: &mut PgConnection, vault: &Vault, hash: &Hash) -> Result<Option<Known>, AdminError> {
    let row = sqlx::query(
        "select w.tenant_id, w.id, w.source, w.purpose, w.signing_sealed, w.signing_key_version
           from webhook_tokens w join tenants t on t.id = w.tenant_id and t.status = 'active'
          where w.secret_hash = $1 and w.revoked_at is null and (w.expires_at is null or w.expires_at > now())",
    )
    .bind(&hash[..])
    .fetch_optional(&mut *c)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let tenant: TenantId = row.try_get(0)?;
    Ok(Some(Known {
        tenant,
        source: parsed(&row, 2)?,
        purpose: parsed(&row, 3)?,
        signing: opened(c, tenant, vault, &row, (1, 4)).await?,
    }))
}

/// What the tenant's own addresses of this source are signed with: for deliveries to an address without a token.
pub async fn secrets_of(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    source: Source,
) -> Result<Vec<SecretString>, AdminError> {
    let rows = sqlx::query(
        "select id, signing_sealed, signing_key_version from webhook_tokens
          where tenant_id = $1 and source = $2 and signing_sealed is not null and revoked_at is null
            and (expires_at is null or expires_at > now()) order by id desc limit 20",
    )
    .bind(tenant)
    .bind(source.as_str())
    .fetch_all(&mut *c)
    .await?;
    let mut secrets = Vec::new();
    for row in rows {
        secrets.extend(opened(c, tenant, vault, &row, (0, 1)).await?);
    }
    Ok(secrets)
}

fn parsed<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(row: &PgRow, at: usize) -> Result<T, AdminError> {
    let text: &str = row.try_get(at)?;
    text.parse().map_err(|error| AdminError::Database(sqlx::Error::Decode(Box::new(error))))
}

async fn opened(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    row: &PgRow,
    (id, sealed): (usize, usize),
) -> Result<Option<SecretString>, AdminError> {
    let Some(bytes) = row.try_get::<Option<Vec<u8>>, _>(sealed)? else { return Ok(None) };
    let id: String = row.try_get(id)?;
    let sealed = Sealed { bytes, key_version: row.try_get(sealed + 1)? };
    Ok(Some(vault.open(c, tenant, Sealing::Webhook(&id), &sealed).await?))
}

/// The tenant's tokens, newest first, at most 500.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<TokenRow>, AdminError> {
    let rows = sqlx::query(
        "select id, source, purpose, created_at, expires_at, revoked_at from webhook_tokens
          where tenant_id = $1 order by id desc limit 500",
    )
    .bind(tenant)
    .fetch_all(c)
    .await?;
    let read = |row: &PgRow| {
        let at = |index: usize| {
            row.try_get::<Option<OffsetDateTime>, _>(index).map(|at| at.map(|at| Micros::from(at).rfc3339()))
        };
        Ok(TokenRow {
            token_id: row.try_get(0)?,
            source: row.try_get(1)?,
            purpose: row.try_get(2)?,
            created_at: at(3)?.unwrap_or_default(),
            expires_at: at(4)?,
            revoked_at: at(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Ends a token for good. `None`: it was revoked before, nothing is appended.
pub async fn revoke(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    id: KeyId,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Option<Position>, AdminError> {
    let was: Option<bool> = sqlx::query_scalar(
        "with was as (select id, revoked_at from webhook_tokens where tenant_id = $1 and id = $2 for update),
              now_revoked as (update webhook_tokens w set revoked_at = now() from was
                               where w.tenant_id = $1 and w.id = was.id and was.revoked_at is null)
         select revoked_at is not null from was",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(&mut *c)
    .await?;
    if was.ok_or(AdminError::NotFound("token"))? {
        return Ok(None);
    }
    let events = vec![ConfigEvent::TokenRevoked(TokenRevoked { token_id: id }).into()];
    record(log, c, tenant, Change::after(id, Version(1), events).remembered(receipt), by).await.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_read_as_written() {
        let block = Purpose::Block { run: RunId::generate(), block: BlockId::generate(), attempt: 3 };
        for purpose in [Purpose::Status, Purpose::Automation(AutomationId::generate()), block] {
            assert_eq!(purpose.to_string().parse(), Ok(purpose));
        }
        assert!("automation:x".parse::<Purpose>().is_err() && "block:a:b".parse::<Purpose>().is_err());
    }
}
