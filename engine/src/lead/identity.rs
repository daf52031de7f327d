//! The id of a lead: derived from the input and the row, so that reading a row again makes the same lead.

use luci_schema::LeadId;
use sha2::{Digest, Sha256};
use ulid::Ulid;

/// Time bits of the input's id, then 32 bits of row, then 48 bits of SHA-256 over both.
///
/// With the row in front of the hash, lead-id order is the order of the file and inserts go to the end of the index.
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
    fn the_same_row_is_the_same_lead_and_rows_are_in_order() {
        let input = "import_01J9ZZZZZZZZZZZZZZZZZZZZZZ";
        assert_eq!(lead_id(input, 7), lead_id(input, 7));
        assert!(lead_id(input, 7) < lead_id(input, 8) && lead_id(input, 8) < lead_id(input, 1_000_000));
        assert_ne!(lead_id(input, 7), lead_id("import_01J9ZZZZZZZZZZZZZZZZZZZZZY", 7));
        assert_eq!(lead_id(input, 7).ulid().timestamp_ms(), Ulid::from_string(&input[7..]).unwrap().timestamp_ms());
    }
}
