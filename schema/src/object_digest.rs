//! Size and SHA-256 of a stored object.

use serde::{Deserialize, Serialize};

/// Recorded digest; every reader verifies it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDigest {
    pub size_bytes: u64,
    /// SHA-256, lower hex.
    pub checksum: String,
}
