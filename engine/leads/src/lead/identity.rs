//! The id of a lead, derived from input and row: reading a row again gives the same id.

use luci_schema::LeadId;
use sha2::{Digest, Sha256};
use ulid::Ulid;

/// The timestamp of the input's ULID, 32 bits of the row, 48 bits of SHA-256 over both.
///
/// The row comes before the hash, so that lead ids sort in the order of the file and inserts append to the index.
pub fn lead_id(root_input_id: &str, row: u64) -> LeadId {
    let millis = root_input_id
        .rsplit('_')
        .next()
        .and_then(|text| Ulid::from_string(text).ok())
        .map_or(0, |ulid| ulid.timestamp_ms());
    let mut hash = Sha256::new();
    hash.update(root_input_id.as_bytes());
    hash.update([0x1f]);
    hash.update(row.to_be_bytes());
    let digest = hash.finalize();
    let mut low = [0u8; 16];
    low[10..].copy_from_slice(&digest[..6]);
    let row = u128::from(row & 0xffff_ffff) << 48;
    LeadId::from_ulid(Ulid(u128::from(millis) << 80 | row | u128::from_be_bytes(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_sort_by_row() {
        let input = "import_01J9ZZZZZZZZZZZZZZZZZZZZZZ";
        assert_eq!(lead_id(input, 7), lead_id(input, 7));
        assert!(lead_id(input, 7) < lead_id(input, 8) && lead_id(input, 8) < lead_id(input, 1_000_000));
        assert_ne!(lead_id(input, 7), lead_id("import_01J9ZZZZZZZZZZZZZZZZZZZZZY", 7));
        assert_eq!(lead_id(input, 7).ulid().timestamp_ms(), Ulid::from_string(&input[7..]).unwrap().timestamp_ms());
    }
}
