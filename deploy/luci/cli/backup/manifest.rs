//! `backup.json`: what a backup contains.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt as _;

pub const DUMP: &str = "database.dump";
pub const OBJECTS: &str = "objects";
pub(super) const FORMAT: u32 = 1;
const FILE: &str = "backup.json";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Of this file and the folder.
    pub format: u32,
    /// The release that wrote it.
    pub version: String,
    pub created_at: String,
    pub epoch: String,
    /// The log's newest event.
    pub position: u64,
    /// The newest migration.
    pub schema_version: i64,
    pub database: DumpFile,
    pub objects: u64,
    pub object_bytes: u64,
}

/// The dump of the database, in the custom format of `pg_dump`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DumpFile {
    pub size_bytes: u64,
    /// Lower hex.
    pub sha256: String,
}

impl DumpFile {
    pub(super) async fn of(path: &Path) -> anyhow::Result<Self> {
        let mut file = tokio::fs::File::open(path).await.with_context(|| format!("cannot read {}", path.display()))?;
        let (mut hash, mut size_bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            let read = file.read(&mut buffer).await?;
            if read == 0 {
                return Ok(Self { size_bytes, sha256: hex::encode(hash.finalize()) });
            }
            hash.update(&buffer[..read]);
            size_bytes += read as u64;
        }
    }
}

impl Manifest {
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(folder.join(FILE), format!("{:#}\n", serde_json::to_value(self)?))?)
    }

    /// Reads it and compares the dump with what it says.
    ///
    /// # Errors
    /// A folder without it is not a backup, or one that was interrupted.
    pub async fn check(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read(&path)
            .with_context(|| format!("{} is not a complete backup: cannot read {FILE}", folder.display()))?;
        let manifest: Self =
            serde_json::from_slice(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        ensure!(
            manifest.format == FORMAT,
            "{} has format {}, this version reads {FORMAT}",
            path.display(),
            manifest.format
        );
        let found = DumpFile::of(&folder.join(DUMP)).await?;
        ensure!(
            found == manifest.database,
            "{DUMP} is not what was backed up: expected {:?}, found {found:?}",
            manifest.database
        );
        Ok(manifest)
    }
}
