//! Files of a data folder that describe its instance: URLs, the owner's API key, the master key, the seal key.

use std::{collections::BTreeMap, fs, io, path::Path};

use luci_schema::seal::SealKey;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{random_hex, write_private};
use crate::{config::StoreAddress, process::keys::read_seal_key};

/// `DIR/instance.json`: the URLs of the folder's instance; written when it is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceFile {
    pub pid: u32,
    pub url: String,
    pub database_url: String,
    /// With everything that an operator may do.
    pub nats_url: String,
    /// Of a private server: a user that only reads events and progress.
    #[serde(default)]
    pub nats_reader_url: Option<String>,
    /// Of a private server: where browsers connect, without a credential.
    #[serde(default)]
    pub nats_web_socket_url: Option<String>,
    pub store_url: String,
    /// `LUCI_STORE_URL` and what a bucket needs beside it. Absent in files of older versions.
    #[serde(default)]
    pub store: BTreeMap<String, String>,
    /// Which servers are private servers of the folder.
    #[serde(default, rename = "own")]
    pub private: PrivateServers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PrivateServers {
    pub database: bool,
    pub nats: bool,
}

/// `DIR/credentials.json`: the tenant that was created for this folder, and the API key of its owner.
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

impl InstanceFile {
    pub fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        read(&data_dir.join("instance.json"))
    }

    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        write(&data_dir.join("instance.json"), self)
    }

    /// All URLs with a user of the instance's NATS.
    pub fn nats_urls(&self) -> Vec<&str> {
        std::iter::once(self.nats_url.as_str()).chain(self.nats_reader_url.as_deref()).collect()
    }

    pub fn store_address(&self) -> Option<StoreAddress> {
        let old = || BTreeMap::from([("LUCI_STORE_URL".to_owned(), self.store_url.clone())]);
        StoreAddress::of_variables(&if self.store.is_empty() { old() } else { self.store.clone() })
    }

    /// Whether the process that wrote the file runs.
    pub fn is_running(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
    }
}

impl Credentials {
    /// Those of `tenant`: in `credentials.json` when it is the folder's first tenant, else in `TENANT.json`.
    pub fn read(data_dir: &Path, tenant: &str) -> io::Result<Option<Self>> {
        match Self::first(data_dir)? {
            Some(first) if first.tenant != tenant => read(&data_dir.join(format!("{tenant}.json"))),
            first => Ok(first),
        }
    }

    /// Those of the folder's first tenant.
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

/// The folder's master key, generated at the first start. It is never replaced: without it, stored secrets cannot be read.
pub fn master_key(data_dir: &Path) -> io::Result<SecretString> {
    let path = data_dir.join("master.key");
    if !path.exists() {
        refuse_lost(data_dir, &path, "no stored secret can be read without it")?;
        write_private(&path, &format!("{}\n", random_hex(32)?))?;
    }
    let text = fs::read_to_string(&path)?;
    match hex::decode(text.trim()) {
        Ok(bytes) if bytes.len() == 32 => Ok(SecretString::from(text.trim())),
        _ => Err(io::Error::other(format!("{} does not contain 32 bytes in hexadecimal", path.display()))),
    }
}

/// The folder's master key, if it has one.
pub fn existing_master_key(data_dir: &Path) -> io::Result<Option<SecretString>> {
    if data_dir.join("master.key").exists() { master_key(data_dir).map(Some) } else { Ok(None) }
}

/// A folder with credentials was started before: then it had this key, which is lost.
fn refuse_lost(data_dir: &Path, path: &Path, why: &str) -> io::Result<()> {
    if !data_dir.join("credentials.json").exists() {
        return Ok(());
    }
    Err(io::Error::other(format!("{} is missing. Restore it from a backup: {why}", path.display())))
}

/// The folder's `seal.key`, generated at the first start. It is never replaced: auditors have its public key.
pub fn seal_key(data_dir: &Path) -> io::Result<SealKey> {
    let path = data_dir.join("seal.key");
    if !path.exists() {
        let remedy = "auditors have its public key. To seal with a new key on purpose, set LUCI_SEAL_KEY to its file";
        refuse_lost(data_dir, &path, remedy)?;
        write_private(&path, &SealKey::generate_pem().map_err(io::Error::other)?)?;
    }
    read_seal_key(&path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_master_key_is_generated_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = master_key(dir.path()).expect("made");
        let again = master_key(dir.path()).expect("read");
        assert_eq!(first.expose_secret(), again.expose_secret());
        fs::write(dir.path().join("master.key"), "short").expect("written");
        assert!(master_key(dir.path()).is_err());
    }

    #[test]
    fn a_lost_key_is_not_generated_again() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("credentials.json"), "{}").expect("written");
        let lost = [master_key(dir.path()).map(drop), seal_key(dir.path()).map(drop)];
        for error in lost.map(|key| key.expect_err("refused").to_string()) {
            assert!(error.contains(".key is missing. Restore it from a backup"), "{error}");
        }
        assert!(!dir.path().join("master.key").exists() && !dir.path().join("seal.key").exists());
    }
}
