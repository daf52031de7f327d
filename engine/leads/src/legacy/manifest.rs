//! The manifest of a migration: a line for each object of the older platform, and the sums.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::legacy_objects::LegacyObject;

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MigrationOutcome {
    /// Copied, and the copy verified.
    Copied,
    /// An earlier migration copied it.
    AlreadyCopied,
    /// A table has what it says.
    InTable,
    /// A dry run: it would be copied.
    WouldCopy,
    /// Its key is of no pattern; it is left alone.
    Unknown,
    Failed,
}

/// A line of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestLine {
    pub legacy_key: String,
    pub new_key: Option<String>,
    pub size_bytes: u64,
    /// SHA-256 in lower hex.
    pub checksum: Option<String>,
    pub outcome: MigrationOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Objects and bytes by outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationSummary {
    pub objects: u64,
    pub bytes: u64,
    pub outcomes: BTreeMap<MigrationOutcome, u64>,
}

impl ManifestLine {
    pub(super) fn new(legacy_key: &str, size_bytes: u64, outcome: MigrationOutcome) -> Self {
        let legacy_key = legacy_key.to_owned();
        Self { legacy_key, new_key: None, size_bytes, checksum: None, outcome, error: None }
    }

    /// Of an object that an earlier migration recorded.
    pub(super) fn of_record(recorded: &LegacyObject) -> Self {
        let outcome = match recorded.object_path {
            Some(_) => MigrationOutcome::AlreadyCopied,
            None => MigrationOutcome::InTable,
        };
        Self {
            new_key: recorded.object_path.clone(),
            checksum: Some(recorded.digest.checksum.clone()),
            ..Self::new(&recorded.legacy_key, recorded.digest.size_bytes, outcome)
        }
    }
}

impl MigrationSummary {
    pub(super) fn add(&mut self, line: &ManifestLine) {
        self.objects += 1;
        self.bytes += line.size_bytes;
        *self.outcomes.entry(line.outcome).or_default() += 1;
    }

    /// Objects of an outcome.
    pub fn of(&self, outcome: MigrationOutcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }
}
