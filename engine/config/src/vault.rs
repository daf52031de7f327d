//! Table `tenant_keys`, and secrets at rest: encrypted with the tenant's data key, which the master key wraps.
//!
//! AES-256-GCM throughout. Tenant and purpose are associated data: a secret of one tenant or purpose decrypts for no other,
//! even when rows are swapped in the database.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;
use luci_schema::TenantId;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sqlx::PgConnection;

/// Unwrapped data keys cached in memory.
const CACHED_KEYS: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
const KEY_BYTES: usize = 32;
/// Before the hash of a contact of an erased person.
pub const ERASED: &str = "hmac:";
/// First byte of a sealed secret: the version of the format.
const FORMAT: u8 = 1;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// The tenant's credential at this provider.
    Provider(&'a str),
    /// The key that verifies webhooks of this name.
    Webhook(&'a str),
    /// Who is being erased, and the hashes that keep the person from being contacted again.
    Erasure,
}

impl fmt::Display for Purpose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(name) => write!(f, "provider/{name}"),
            Self::Webhook(name) => write!(f, "webhook/{name}"),
            Self::Erasure => f.write_str("erasure"),
        }
    }
}

/// An encrypted secret, as tables store it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Format, nonce (12 bytes), ciphertext, tag (16 bytes).
    pub bytes: Vec<u8>,
    /// The version of the tenant's data key.
    pub key_version: i32,
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("the master key is not 32 bytes in hexadecimal")]
    MasterKey,
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// Encrypted under another master key, for another tenant or purpose, or damaged.
    #[error(
        "a stored secret cannot be decrypted: the master key is not the one it was stored with, or the row is damaged"
    )]
    DoesNotOpen,
    #[error("the tenant has no data key {0}")]
    NoDataKey(i32),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Encrypts and decrypts with the master key. `Debug` prints no key.
pub struct Vault {
    root: hkdf::Prk,
    wrapping: LessSafeKey,
    data_keys: Mutex<LruCache<(TenantId, i32), Arc<LessSafeKey>>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// `master`: 32 bytes in hexadecimal (`LUCI_MASTER_KEY`, or the file `master.key`).
    pub fn new(master: &SecretString) -> Result<Self, VaultError> {
        let bytes = hex::decode(master.expose_secret()).map_err(|_| VaultError::MasterKey)?;
        if bytes.len() != KEY_BYTES {
            return Err(VaultError::MasterKey);
        }
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"luci vault").extract(&bytes);
        let wrapping = cipher(expand(&root, &["data key"]).expose_secret())?;
        Ok(Self { root, wrapping, data_keys: Mutex::new(LruCache::new(CACHED_KEYS)) })
    }

    /// Tells master keys apart and says nothing about them: 32 hex digits.
    pub fn fingerprint(&self) -> String {
        hex::encode(&expand(&self.root, &["fingerprint"]).expose_secret()[..16])
    }

    /// Decrypts the newest stored data key, if there is one.
    pub async fn open_any(&self, c: &mut PgConnection) -> Result<(), VaultError> {
        let newest: Option<(TenantId, i32)> = sqlx::query_as(
            "select tenant_id, key_version from tenant_keys order by tenant_id desc, key_version desc limit 1",
        )
        .fetch_optional(&mut *c)
        .await?;
        match newest {
            Some((tenant, version)) => self.data_key(c, tenant, version).await.map(drop),
            None => Ok(()),
        }
    }

    /// A key for message authentication, for this tenant and purpose only (HKDF-SHA256, RFC 5869).
    pub fn mac_key(&self, tenant: TenantId, purpose: Purpose<'_>) -> SecretBox<[u8; KEY_BYTES]> {
        expand(&self.root, &["mac", &tenant.to_string(), &purpose.to_string()])
    }

    /// Numbers or addresses of erased people as they are kept: comparable, and useless without the master key. `kind` is
    /// `phone`, `digits` (what every spelling of a number has) or `email`; one result for each value, in their order.
    pub fn erased_contacts(&self, tenant: TenantId, kind: &str, values: &[&str]) -> Vec<String> {
        if values.is_empty() {
            return Vec::new();
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.mac_key(tenant, Purpose::Erasure).expose_secret());
        let hashed = |value: &&str| hex::encode(hmac::sign(&key, format!("{kind}\u{1f}{value}").as_bytes()));
        values.iter().map(|value| format!("{ERASED}{}", hashed(value))).collect()
    }

    /// The key that authenticates stored states of streams.
    pub fn snapshot_key(&self) -> SecretBox<[u8; KEY_BYTES]> {
        expand(&self.root, &["snapshots"])
    }

    /// A key for one purpose at the broker: `issuer`, `credentials`, or the name of a user.
    pub fn broker_key(&self, purpose: &str) -> SecretBox<[u8; KEY_BYTES]> {
        expand(&self.root, &["broker", purpose])
    }

    /// Encrypts with the tenant's newest data key, and creates the first one.
    pub async fn seal(
        &self,
        c: &mut PgConnection,
        tenant: TenantId,
        purpose: Purpose<'_>,
        secret: &SecretString,
    ) -> Result<Sealed, VaultError> {
        let key_version = self.newest(c, tenant).await?;
        let key = self.data_key(c, tenant, key_version).await?;
        let bytes = seal(&key, &secret_context(tenant, purpose, key_version), secret.expose_secret().as_bytes())?;
        Ok(Sealed { bytes, key_version })
    }

    pub async fn open(
        &self,
        c: &mut PgConnection,
        tenant: TenantId,
        purpose: Purpose<'_>,
        sealed: &Sealed,
    ) -> Result<SecretString, VaultError> {
        let key = self.cached_key(c, tenant, sealed.key_version).await?;
        let opened = open(&key, &secret_context(tenant, purpose, sealed.key_version), &sealed.bytes)?;
        String::from_utf8(opened).map(SecretString::from).map_err(|_| VaultError::DoesNotOpen)
    }

    /// Creates the tenant's next data key, which later secrets use. Returns its version.
    pub async fn renew(&self, c: &mut PgConnection, tenant: TenantId) -> Result<i32, VaultError> {
        let newest: Option<i32> = sqlx::query_scalar("select max(key_version) from tenant_keys where tenant_id = $1")
            .bind(tenant)
            .fetch_one(&mut *c)
            .await?;
        let version = newest.unwrap_or(0) + 1;
        let mut key = SecretBox::new(Box::new([0; KEY_BYTES]));
        fill(secrecy::ExposeSecretMut::expose_secret_mut(&mut key))?;
        let wrapped = seal(&self.wrapping, &data_key_context(tenant, version), key.expose_secret())?;
        // Another process may insert the same version now: everyone reads back the row that won.
        sqlx::query(
            "insert into tenant_keys (tenant_id, key_version, wrapped) values ($1, $2, $3) on conflict do nothing",
        )
        .bind(tenant)
        .bind(version)
        .bind(wrapped)
        .execute(c)
        .await?;
        Ok(version)
    }

    async fn newest(&self, c: &mut PgConnection, tenant: TenantId) -> Result<i32, VaultError> {
        let newest: Option<i32> = sqlx::query_scalar("select max(key_version) from tenant_keys where tenant_id = $1")
            .bind(tenant)
            .fetch_one(&mut *c)
            .await?;
        match newest {
            Some(version) => Ok(version),
            None => self.renew(c, tenant).await,
        }
    }

    /// Not for `seal`: a new key may still be rolled back with the caller's transaction.
    async fn cached_key(
        &self,
        c: &mut PgConnection,
        tenant: TenantId,
        version: i32,
    ) -> Result<Arc<LessSafeKey>, VaultError> {
        if let Some(key) = self.cache().get(&(tenant, version)) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(self.data_key(c, tenant, version).await?);
        self.cache().put((tenant, version), Arc::clone(&key));
        Ok(key)
    }

    async fn data_key(&self, c: &mut PgConnection, tenant: TenantId, version: i32) -> Result<LessSafeKey, VaultError> {
        let wrapped: Option<Vec<u8>> =
            sqlx::query_scalar("select wrapped from tenant_keys where tenant_id = $1 and key_version = $2")
                .bind(tenant)
                .bind(version)
                .fetch_optional(c)
                .await?;
        let wrapped = wrapped.ok_or(VaultError::NoDataKey(version))?;
        let bytes = open(&self.wrapping, &data_key_context(tenant, version), &wrapped)?;
        cipher(&bytes)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, LruCache<(TenantId, i32), Arc<LessSafeKey>>> {
        self.data_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Associated data of a secret.
fn secret_context(tenant: TenantId, purpose: Purpose<'_>, version: i32) -> String {
    format!("luci/secret/{tenant}/{purpose}/{version}")
}

fn data_key_context(tenant: TenantId, version: i32) -> String {
    format!("luci/data-key/{tenant}/{version}")
}

fn expand(root: &hkdf::Prk, info: &[&str]) -> SecretBox<[u8; KEY_BYTES]> {
    // Lengths make ("a", "bc") and ("ab", "c") different.
    let info: Vec<u8> =
        info.iter().flat_map(|part| [&(part.len() as u32).to_be_bytes(), part.as_bytes()].concat()).collect();
    SecretBox::init_with_mut(|key: &mut [u8; KEY_BYTES]| {
        let info = [info.as_slice()];
        // Fails only for more than 255 blocks; this is one.
        let filled = root.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(key));
        debug_assert!(filled.is_ok());
    })
}

fn cipher(key: &[u8]) -> Result<LessSafeKey, VaultError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| VaultError::DoesNotOpen)
}

fn fill(bytes: &mut [u8]) -> Result<(), VaultError> {
    getrandom::fill(bytes).map_err(|_| VaultError::NoRandomness)
}

/// A random nonce each time: a tenant stores far fewer than the 2³² secrets that one key allows.
fn seal(key: &LessSafeKey, context: &str, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE_LEN];
    fill(&mut nonce)?;
    let mut text = secret.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut text)
        .map_err(|_| VaultError::DoesNotOpen)?;
    Ok([&[FORMAT], nonce.as_slice(), &text].concat())
}

fn open(key: &LessSafeKey, context: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
    let Some((&FORMAT, rest)) = sealed.split_first() else { return Err(VaultError::DoesNotOpen) };
    let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(VaultError::DoesNotOpen)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::DoesNotOpen)?;
    let mut text = text.to_vec();
    let opened = key.open_in_place(nonce, Aad::from(context), &mut text).map_err(|_| VaultError::DoesNotOpen)?.len();
    text.truncate(opened);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(byte: &str) -> Vault {
        Vault::new(&byte.repeat(KEY_BYTES).into()).unwrap()
    }

    #[test]
    fn a_master_key_is_32_bytes_in_hexadecimal() {
        for wrong in ["", "00", "zz", &"0".repeat(63)] {
            assert!(matches!(Vault::new(&wrong.to_owned().into()), Err(VaultError::MasterKey)), "{wrong}");
        }
        assert_eq!(format!("{:?}", vault("ab")), "Vault");
    }

    #[test]
    fn a_secret_decrypts_in_its_own_context_only() {
        let (key, other) = (cipher(&[1; 32]).unwrap(), cipher(&[2; 32]).unwrap());
        let sealed = seal(&key, "here", b"secret").unwrap();
        assert_eq!(open(&key, "here", &sealed).unwrap(), b"secret");
        assert_ne!(seal(&key, "here", b"secret").unwrap(), sealed, "a nonce is used once");
        assert!(open(&key, "there", &sealed).is_err());
        assert!(open(&other, "here", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, "here", &changed).is_err(), "byte {at}");
            assert!(open(&key, "here", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn mac_keys_differ_by_tenant_purpose_and_master() {
        let (one, two) = (TenantId::generate(), TenantId::generate());
        let key = |vault: &Vault, tenant, purpose| *vault.mac_key(tenant, purpose).expose_secret();
        let first = key(&vault("ab"), one, Purpose::Webhook("x"));
        assert_eq!(first, key(&vault("ab"), one, Purpose::Webhook("x")));
        assert_ne!(first, key(&vault("ab"), two, Purpose::Webhook("x")));
        assert_ne!(first, key(&vault("ab"), one, Purpose::Provider("x")));
        assert_ne!(first, key(&vault("cd"), one, Purpose::Webhook("x")));
    }
}
