//! Decides for each row of a block: a new lead, part of an existing lead, or a duplicate.

use std::collections::HashMap;

use luci_schema::{LeadId, event::OnExisting};

use crate::validate::keys::Key;

/// A row and the keys that it claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The id derived from input and row.
    pub lead_id: LeadId,
    pub row: u64,
    pub keys: Vec<Key>,
}

/// The row that holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub root_input_id: String,
    pub row: u64,
    pub lead_id: LeadId,
}

/// The decision on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// A lead of its own, new or claimed by an earlier delivery of the same block.
    Own,
    /// Part of a lead of another input.
    Existing(LeadId),
    /// It has a key of this row of the same input.
    DuplicateOf(u64),
    /// Part of a lead of another input, in a run that skips those.
    SkippedExisting,
}

/// Decides on the rows in their order. Idempotent: rows whose claims are stored get the same outcomes again.
pub fn decide(
    root_input_id: &str,
    on_existing: OnExisting,
    rows: &[Claim],
    held: &HashMap<Key, Vec<Holder>>,
) -> Vec<ClaimOutcome> {
    let mut claimed: HashMap<Key, u64> = HashMap::new();
    let mut outcomes = Vec::with_capacity(rows.len());
    for claim in rows {
        let outcome = decide_one(root_input_id, on_existing, claim, held, &claimed);
        if matches!(outcome, ClaimOutcome::Own | ClaimOutcome::Existing(_)) {
            for key in &claim.keys {
                claimed.entry(*key).or_insert(claim.row);
            }
        }
        outcomes.push(outcome);
    }
    outcomes
}

fn decide_one(
    root_input_id: &str,
    on_existing: OnExisting,
    claim: &Claim,
    held: &HashMap<Key, Vec<Holder>>,
    claimed: &HashMap<Key, u64>,
) -> ClaimOutcome {
    let holders = || claim.keys.iter().filter_map(|key| held.get(key)).flatten();
    let same_file = || holders().filter(|holder| holder.root_input_id == root_input_id);
    let earlier = same_file().map(|holder| holder.row).filter(|row| *row != claim.row);
    let first = earlier.chain(claim.keys.iter().filter_map(|key| claimed.get(key).copied())).min();
    if let Some(row) = first {
        return ClaimOutcome::DuplicateOf(row);
    }
    // The outcome of an earlier delivery stands, even if another input claimed the key since.
    if let Some(own) = same_file().find(|holder| holder.row == claim.row) {
        return if own.lead_id == claim.lead_id { ClaimOutcome::Own } else { ClaimOutcome::Existing(own.lead_id) };
    }
    match (holders().find(|holder| holder.root_input_id != root_input_id), on_existing) {
        (None, _) => ClaimOutcome::Own,
        (Some(_), OnExisting::Skip) => ClaimOutcome::SkippedExisting,
        (Some(other), OnExisting::Attach) => ClaimOutcome::Existing(other.lead_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead_id;

    fn claim(input: &str, row: u64, keys: &[u8]) -> Claim {
        Claim { lead_id: lead_id(input, row), row, keys: keys.iter().map(|k| [*k; 16]).collect() }
    }

    /// Decides, and stores the claims like the table.
    fn run(input: &str, skip: bool, rows: &[Claim], held: &mut HashMap<Key, Vec<Holder>>) -> Vec<ClaimOutcome> {
        let on_existing = if skip { OnExisting::Skip } else { OnExisting::Attach };
        let outcomes = decide(input, on_existing, rows, held);
        for (claim, outcome) in rows.iter().zip(&outcomes) {
            let lead_id = match outcome {
                ClaimOutcome::Own => claim.lead_id,
                ClaimOutcome::Existing(id) => *id,
                ClaimOutcome::DuplicateOf(_) | ClaimOutcome::SkippedExisting => continue,
            };
            for key in &claim.keys {
                let holders = held.entry(*key).or_default();
                if !holders.iter().any(|h| h.root_input_id == input) {
                    holders.push(Holder { root_input_id: input.into(), row: claim.row, lead_id });
                }
            }
        }
        outcomes
    }

    #[test]
    fn within_a_file_the_first_row_wins_and_a_repeat_gives_the_same() {
        let mut held = HashMap::new();
        let rows = [
            claim("a", 1, &[1, 2]),
            claim("a", 2, &[2, 3]),
            claim("a", 3, &[3]),
            claim("a", 4, &[]),
            claim("a", 5, &[]),
        ];
        let expected =
            [ClaimOutcome::Own, ClaimOutcome::DuplicateOf(1), ClaimOutcome::Own, ClaimOutcome::Own, ClaimOutcome::Own];
        assert_eq!(run("a", false, &rows, &mut held), expected);
        assert_eq!(run("a", false, &rows, &mut held), expected);
        assert_eq!(run("a", true, &rows, &mut held), expected, "rows of the same input never count as existing");
        assert_eq!(run("a", false, &[claim("a", 9, &[3])], &mut held), [ClaimOutcome::DuplicateOf(3)]);
    }

    #[test]
    fn a_row_of_an_existing_lead_is_attached_or_skipped() {
        let mut held = HashMap::new();
        run("a", false, &[claim("a", 1, &[1, 2])], &mut held);
        let existing = lead_id("a", 1);
        let rows = [claim("b", 1, &[2, 5]), claim("b", 2, &[2]), claim("b", 3, &[5]), claim("b", 4, &[6])];
        let skipped =
            [ClaimOutcome::SkippedExisting, ClaimOutcome::SkippedExisting, ClaimOutcome::Own, ClaimOutcome::Own];
        assert_eq!(run("b", true, &rows, &mut held.clone()), skipped);
        let expected = [
            ClaimOutcome::Existing(existing),
            ClaimOutcome::DuplicateOf(1),
            ClaimOutcome::DuplicateOf(1),
            ClaimOutcome::Own,
        ];
        assert_eq!(run("b", false, &rows, &mut held), expected);
        assert_eq!(run("b", false, &rows, &mut held), expected);
        // The first file again, after the second claimed the key too.
        assert_eq!(run("a", false, &[claim("a", 1, &[1, 2])], &mut held), [ClaimOutcome::Own]);
    }
}
