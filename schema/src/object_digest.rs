//! Size and SHA-256 of a stored object.

use serde::{Deserialize, Serialize};

/// What was recorded of an object: whoever reads it compares.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDigest {
    pub size_bytes: u64,
    /// SHA-256, lower hex.
    pub checksum: String,
}
