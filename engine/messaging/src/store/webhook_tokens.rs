//! Table `webhook_tokens`: the tokens in webhook addresses. A token is shown once and stored as its SHA-256; the signing
//! secret of its source is sealed by the vault.

use std::{fmt, str::FromStr};

use luci_config::{
    AdminError, By, automations,
    change::{Change, record},
    secret,
    vault::{self, Sealed, Vault},
};
use luci_schema::{
    AutomationId, BlockId, ConfigEvent, Hash, KeyId, Micros, Position, RunId, TenantId, Version,
    event::{TokenCreated, TokenRevoked, Trigger},
    log::{Log, NewReceipt},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::rules::webhook_source::WebhookSource;

/// What deliveries to a token's address are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookPurpose {
    /// Delivery reports, incoming messages, and other events of the source.
    Status,
    /// Starts an automation.
    Automation(AutomationId),
    /// A block waits for the result.
    Block { run: RunId, block: BlockId, attempt: u32 },
}

impl fmt::Display for WebhookPurpose {
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
pub struct UnknownWebhookPurpose;

impl FromStr for WebhookPurpose {
    type Err = UnknownWebhookPurpose;
    fn from_str(text: &str) -> Result<Self, UnknownWebhookPurpose> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["status"] => Ok(Self::Status),
            ["automation", id] => id.parse().map(Self::Automation).map_err(|_| UnknownWebhookPurpose),
            ["block", run, block, attempt] => Ok(Self::Block {
                run: run.parse().map_err(|_| UnknownWebhookPurpose)?,
                block: block.parse().map_err(|_| UnknownWebhookPurpose)?,
                attempt: attempt.parse().map_err(|_| UnknownWebhookPurpose)?,
            }),
            _ => Err(UnknownWebhookPurpose),
        }
    }
}

/// A token to create.
#[derive(Debug)]
pub struct NewToken {
    pub source: WebhookSource,
    pub purpose: WebhookPurpose,
    /// The source's signing secret, or SendGrid's public key.
    pub signing: Option<SecretString>,
    pub expires_at: Option<Micros>,
}

/// A token that was just created. The only place that has its plain text.
#[derive(Debug)]
pub struct IssuedToken {
    pub id: KeyId,
    pub token: SecretString,
    pub position: Position,
}

/// A token as the API lists it, without secrets. Times are RFC 3339.
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

/// The valid token of an address that was called.
#[derive(Debug)]
pub struct FoundToken {
    pub tenant: TenantId,
    pub source: WebhookSource,
    pub purpose: WebhookPurpose,
    pub signing: Option<SecretString>,
}

/// Creates a token, inside the caller's transaction. `Invalid`: the source must sign and no secret is given, or the
/// automation has no webhook trigger. `receipt` gets the token's id.
pub async fn create(
    c: &mut PgConnection,
    tenant: TenantId,
    (log, vault): (&Log, &Vault),
    new: &NewToken,
    by: &By,
    receipt: impl FnOnce(KeyId) -> Option<NewReceipt>,
) -> Result<IssuedToken, AdminError> {
    if new.signing.is_none() && new.source.must_sign() {
        let reason = format!("is missing: deliveries of {} must be signed", new.source);
        return Err(AdminError::Invalid { field: "signingSecret", reason });
    }
    if let WebhookPurpose::Automation(automation) = new.purpose {
        check_trigger(c, tenant, automation).await?;
    }
    let id = KeyId::generate();
    let token =
        secret::generate("hook").map_err(|error| AdminError::Invalid { field: "token", reason: error.to_string() })?;
    let sealed = match &new.signing {
        Some(secret) => Some(vault.seal(c, tenant, vault::Purpose::Webhook(&id.to_string()), secret).await?),
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
    let change = Change::first(id, vec![ConfigEvent::TokenCreated(created).into()]).with_receipt(receipt(id));
    Ok(IssuedToken { id, token, position: record(log, c, tenant, change, by).await? })
}

/// `Invalid` unless the automation exists and webhooks start it.
async fn check_trigger(c: &mut PgConnection, tenant: TenantId, id: AutomationId) -> Result<(), AdminError> {
    let reason = match automations::get(c, tenant, id).await? {
        Some(found) if matches!(found.spec.trigger, Trigger::Webhook { .. }) => return Ok(()),
        Some(_) => "the automation's trigger is not `webhook`",
        None => "there is no automation with this id",
    };
    Err(AdminError::Invalid { field: "purpose", reason: reason.into() })
}

/// The token with this hash and its tenant, unless it is revoked or expired.
pub async fn find(c: &mut PgConnection, vault: &Vault, hash: &Hash) -> Result<Option<FoundToken>, AdminError> {
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
    Ok(Some(FoundToken {
        tenant,
        source: parsed(&row, 2)?,
        purpose: parsed(&row, 3)?,
        signing: open_secret(c, tenant, vault, &row, (1, 4)).await?,
    }))
}

/// The signing secrets of the tenant's tokens of this source, at most 20: for deliveries to an address without a token.
pub async fn signing_secrets(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    source: WebhookSource,
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
        secrets.extend(open_secret(c, tenant, vault, &row, (0, 1)).await?);
    }
    Ok(secrets)
}

fn parsed<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(row: &PgRow, at: usize) -> Result<T, AdminError> {
    let text: &str = row.try_get(at)?;
    text.parse().map_err(|error| AdminError::Database(sqlx::Error::Decode(Box::new(error))))
}

async fn open_secret(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    row: &PgRow,
    (id, sealed): (usize, usize),
) -> Result<Option<SecretString>, AdminError> {
    let Some(bytes) = row.try_get::<Option<Vec<u8>>, _>(sealed)? else { return Ok(None) };
    let id: String = row.try_get(id)?;
    let sealed = Sealed { bytes, key_version: row.try_get(sealed + 1)? };
    Ok(Some(vault.open(c, tenant, vault::Purpose::Webhook(&id), &sealed).await?))
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

/// Revokes a token for good. `None`: it was revoked before, and nothing is appended.
pub async fn revoke(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    id: KeyId,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Option<Position>, AdminError> {
    let was_revoked: Option<bool> = sqlx::query_scalar(
        "with token as (select id, revoked_at from webhook_tokens where tenant_id = $1 and id = $2 for update),
              now_revoked as (update webhook_tokens w set revoked_at = now() from token
                               where w.tenant_id = $1 and w.id = token.id and token.revoked_at is null)
         select revoked_at is not null from token",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(&mut *c)
    .await?;
    if was_revoked.ok_or(AdminError::NotFound("token"))? {
        return Ok(None);
    }
    let events = vec![ConfigEvent::TokenRevoked(TokenRevoked { token_id: id }).into()];
    record(log, c, tenant, Change::after(id, Version(1), events).with_receipt(receipt), by).await.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_parses_from_its_text() {
        let block = WebhookPurpose::Block { run: RunId::generate(), block: BlockId::generate(), attempt: 3 };
        for purpose in [WebhookPurpose::Status, WebhookPurpose::Automation(AutomationId::generate()), block] {
            assert_eq!(purpose.to_string().parse(), Ok(purpose));
        }
        assert!("automation:x".parse::<WebhookPurpose>().is_err() && "block:a:b".parse::<WebhookPurpose>().is_err());
    }
}
