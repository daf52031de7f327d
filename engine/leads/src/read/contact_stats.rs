//! How the leads of a file can be contacted, in counts.

use serde::{Deserialize, Serialize};

/// Counts of a file's rows; no cells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactStats {
    /// Rows of the file.
    pub total: u64,
    pub with_phone: u64,
    pub with_email: u64,
    /// With street, city and state.
    pub with_address: u64,
    /// Without a phone number, but with what a skip trace needs.
    pub needs_skip_trace: u64,
}
