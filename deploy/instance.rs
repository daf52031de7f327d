//! What a data folder says of the instance in it: its addresses, the owner's key, the master key.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use luci_schema::seal::SealKey;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::local::{random_hex, write_private};

/// `DIR/instance.json`: where the instance of a folder answers; written when it is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    pub pid: u32,
    pub url: String,
    pub database_url: String,
    pub nats_url: String,
    pub store_url: String,
    /// Which of the two servers are private ones of the folder.
    #[serde(default)]
    pub own: Own,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Own {
    pub database: bool,
    pub nats: bool,
}

/// `DIR/credentials.json`: the tenant made for this folder and the key of its owner, shown nowhere else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    pub tenant_id: luci_schema::TenantId,
    pub tenant: String,
    pub api_key: String,
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    write_private(path, &format!("{:#}\n", serde_json::to_value(value)?))
}

impl Instance {
    pub fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        read(&data_dir.join("instance.json"))
    }

    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        write(&data_dir.join("instance.json"), self)
    }

    /// The store's folder; `None` of a bucket.
    pub fn store_folder(&self) -> Option<PathBuf> {
        self.store_url.strip_prefix("file://").map(PathBuf::from)
    }
}

impl Credentials {
    /// Those of the folder's first tenant, or of `tenant` when another one was made in the folder before it.
    pub fn read(data_dir: &Path, tenant: &str) -> io::Result<Option<Self>> {
        match Self::first(data_dir)? {
            Some(first) if first.tenant != tenant => read(&data_dir.join(format!("{tenant}.json"))),
            first => Ok(first),
        }
    }

    /// Those of the tenant that was made first.
    pub fn first(data_dir: &Path) -> io::Result<Option<Self>> {
        read(&data_dir.join("credentials.json"))
    }

    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let name = match Self::first(data_dir)? {
            Some(first) if first.tenant != self.tenant => format!("{}.json", self.tenant),
            _ => "credentials.json".to_owned(),
        };
        write(&data_dir.join(name), self)
    }
}

/// The folder's master key, made at its first start. Losing it loses what it wraps, so it is never replaced.
pub fn master_key(data_dir: &Path) -> io::Result<SecretString> {
    let path = data_dir.join("master.key");
    if !path.exists() {
        write_private(&path, &format!("{}\n", random_hex(32)?))?;
    }
    let text = fs::read_to_string(&path)?;
    match hex::decode(text.trim()) {
        Ok(bytes) if bytes.len() == 32 => Ok(SecretString::from(text.trim())),
        _ => Err(io::Error::other(format!("{} is not 32 bytes in hexadecimal", path.display()))),
    }
}

/// The key that seals, of a file in PEM.
pub fn seal_key(path: &Path) -> io::Result<SealKey> {
    SealKey::from_pem(&fs::read_to_string(path)?).map_err(io::Error::other)
}

/// The folder's own key that seals, `seal.key`, made at its first start and never replaced: auditors hold its public half.
pub fn own_seal_key(data_dir: &Path) -> io::Result<SealKey> {
    let path = data_dir.join("seal.key");
    if !path.exists() {
        write_private(&path, &SealKey::generate_pem().map_err(io::Error::other)?)?;
    }
    seal_key(&path)
}

/// A key for one purpose, derived from the master key (HKDF-SHA256, RFC 5869).
pub fn derived(master: &SecretString, purpose: &str) -> SecretString {
    let extracted = mac(b"luci", master.expose_secret().as_bytes());
    SecretString::from(hex::encode(mac(&extracted, format!("{purpose}\u{1}").as_bytes())))
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    use hmac::{KeyInit, Mac};
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = hmac::Hmac::<sha2::Sha256>::new_from_slice(key) else { unreachable!("any length is a key") };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_is_made_once() {
        let room = tempfile::tempdir().expect("a folder");
        let first = master_key(room.path()).expect("made");
        let again = master_key(room.path()).expect("read");
        assert_eq!(first.expose_secret(), again.expose_secret());
        fs::write(room.path().join("master.key"), "short").expect("written");
        assert!(master_key(room.path()).is_err());
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let master = SecretString::from("00".repeat(32));
        let (blobs, hooks) = (derived(&master, "blobs"), derived(&master, "webhooks"));
        assert_ne!(blobs.expose_secret(), hooks.expose_secret());
        assert_eq!(blobs.expose_secret(), derived(&master, "blobs").expose_secret());
    }
}
