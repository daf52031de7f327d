//! Table `provider_credentials`: tenants' own keys at providers, encrypted and never shown again.

use luci_config::{
    AdminError, By,
    change::{Change, record},
    tenants,
    vault::{Purpose, Sealed, Vault, VaultError},
};
use luci_schema::{
    ConfigEvent, Micros, Position, TenantId,
    event::{ProviderConfigured, ProviderRemoved},
    log::{Log, NewReceipt},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::ProviderName;

/// What authenticates the tenant at a provider. `Debug` prints neither part.
#[derive(Debug, Clone)]
pub struct Credential {
    pub key: SecretString,
    /// The second part, where the provider has one: `Descriptor::account`.
    pub account: Option<SecretString>,
}

/// The text that is encrypted.
#[derive(Serialize, Deserialize)]
struct Text<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
}

const LONGEST: usize = 2_000;

impl Credential {
    /// Keys are sent in headers: visible ASCII, 1 to 2,000 characters. An account is required where the provider has one, and
    /// refused elsewhere.
    pub fn new(provider: ProviderName, key: String, account: Option<String>) -> Result<Self, AdminError> {
        let fits = |text: &str| (1..=LONGEST).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
        let invalid = |field, reason: String| Err(AdminError::Invalid { field, reason });
        if !fits(&key) {
            return invalid("key", format!("1 to {LONGEST} visible ASCII characters"));
        }
        match (provider.descriptor().account, &account) {
            (Some(what), None) => invalid("account", format!("is missing: {provider} requires {what}")),
            (None, Some(_)) => invalid("account", format!("{provider} takes only a key")),
            (Some(_), Some(account)) if !fits(account) => {
                invalid("account", format!("1 to {LONGEST} visible ASCII characters"))
            }
            _ => Ok(Self { key: key.into(), account: account.map(Into::into) }),
        }
    }

    fn text(&self) -> SecretString {
        let account = self.account.as_ref().map(ExposeSecret::expose_secret);
        // Two texts cannot fail to be JSON.
        serde_json::to_string(&Text { key: self.key.expose_secret(), account }).unwrap_or_default().into()
    }

    fn read(text: &SecretString) -> Result<Self, VaultError> {
        #[derive(Deserialize)]
        struct Owned {
            key: SecretText,
            account: Option<SecretText>,
        }
        #[derive(Deserialize)]
        struct SecretText(String);
        let read: Owned = serde_json::from_str(text.expose_secret()).map_err(|_| VaultError::DoesNotOpen)?;
        Ok(Self { key: read.key.0.into(), account: read.account.map(|account| account.0.into()) })
    }
}

/// Replaces the tenant's credential. The event holds the provider's name only.
#[expect(clippy::too_many_arguments)]
pub async fn set(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    vault: &Vault,
    provider: ProviderName,
    credential: &Credential,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let version = tenants::lock(c, tenant).await?;
    let sealed = vault.seal(c, tenant, Purpose::Provider(provider.as_str()), &credential.text()).await?;
    sqlx::query(
        "insert into provider_credentials (tenant_id, provider, sealed, key_version) values ($1, $2, $3, $4)
         on conflict (tenant_id, provider) do update
         set sealed = excluded.sealed, key_version = excluded.key_version, updated_at = now()",
    )
    .bind(tenant)
    .bind(provider.as_str())
    .bind(sealed.bytes)
    .bind(sealed.key_version)
    .execute(&mut *c)
    .await?;
    let event = ConfigEvent::ProviderConfigured(ProviderConfigured { provider: provider.as_str().into() });
    record(log, c, tenant, Change::after(tenant, version, vec![event.into()]).with_receipt(receipt), by).await
}

/// Deletes a credential. `None`: there was none, nothing is appended.
pub async fn remove(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    provider: ProviderName,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Option<Position>, AdminError> {
    let version = tenants::lock(c, tenant).await?;
    let gone = sqlx::query("delete from provider_credentials where tenant_id = $1 and provider = $2")
        .bind(tenant)
        .bind(provider.as_str())
        .execute(&mut *c)
        .await?;
    if gone.rows_affected() == 0 {
        return Ok(None);
    }
    let event = ConfigEvent::ProviderRemoved(ProviderRemoved { provider: provider.as_str().into() });
    let change = Change::after(tenant, version, vec![event.into()]).with_receipt(receipt);
    record(log, c, tenant, change, by).await.map(Some)
}

/// The tenant's own credential, decrypted; `None` when it has none.
pub async fn of(
    c: &mut PgConnection,
    tenant: TenantId,
    vault: &Vault,
    provider: ProviderName,
) -> Result<Option<Credential>, VaultError> {
    let row: Option<(Vec<u8>, i32)> =
        sqlx::query_as("select sealed, key_version from provider_credentials where tenant_id = $1 and provider = $2")
            .bind(tenant)
            .bind(provider.as_str())
            .fetch_optional(&mut *c)
            .await?;
    let Some((bytes, key_version)) = row else { return Ok(None) };
    let purpose = Purpose::Provider(provider.as_str());
    let text = vault.open(c, tenant, purpose, &Sealed { bytes, key_version }).await?;
    Credential::read(&text).map(Some)
}

/// Names of the providers for which the tenant has a credential, and since when. Another version may know more of them.
pub async fn list(c: &mut PgConnection, tenant: TenantId) -> Result<Vec<(String, Micros)>, AdminError> {
    let rows: Vec<(String, OffsetDateTime)> =
        sqlx::query_as("select provider, updated_at from provider_credentials where tenant_id = $1 order by provider")
            .bind(tenant)
            .fetch_all(c)
            .await?;
    Ok(rows.into_iter().map(|(name, at)| (name, Micros::from(at))).collect())
}
