//! Which rows of a block are new leads, which belong to a lead that is known, and which are refused as duplicates.

use std::collections::HashMap;

use luci_schema::{LeadId, event::OnExisting};

use super::keys::Key;

/// One row that asks for its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The id that derives from input and row.
    pub lead_id: LeadId,
    pub row: u64,
    pub keys: Vec<Key>,
}

/// Who holds a key already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub root_input_id: String,
    pub row: u64,
    pub lead_id: LeadId,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A lead of its own; also when an earlier delivery claimed it.
    Own,
    /// Another input's lead.
    Existing(LeadId),
    /// A key of this row of the same file.
    DuplicateOf(u64),
    /// Another input's lead, in a run that leaves those out.
    LeftOut,
}

/// Judges the rows in their order. The same rows over the claims that they made get the same verdicts again.
pub fn judge(
    root_input_id: &str,
    on_existing: OnExisting,
    rows: &[Claim],
    held: &HashMap<Key, Vec<Holder>>,
) -> Vec<Verdict> {
    let mut taken: HashMap<Key, u64> = HashMap::new();
    let mut verdicts = Vec::with_capacity(rows.len());
    for claim in rows {
        let verdict = one(root_input_id, on_existing, claim, held, &taken);
        if matches!(verdict, Verdict::Own | Verdict::Existing(_)) {
            for key in &claim.keys {
                taken.entry(*key).or_insert(claim.row);
            }
        }
        verdicts.push(verdict);
    }
    verdicts
}

fn one(
    root_input_id: &str,
    on_existing: OnExisting,
    claim: &Claim,
    held: &HashMap<Key, Vec<Holder>>,
    taken: &HashMap<Key, u64>,
) -> Verdict {
    let holders = || claim.keys.iter().filter_map(|key| held.get(key)).flatten();
    let same_file = || holders().filter(|holder| holder.root_input_id == root_input_id);
    let earlier = same_file().map(|holder| holder.row).filter(|row| *row != claim.row);
    let first = earlier.chain(claim.keys.iter().filter_map(|key| taken.get(key).copied())).min();
    if let Some(row) = first {
        return Verdict::DuplicateOf(row);
    }
    // What an earlier delivery decided stands, whoever has come to hold the key since.
    if let Some(own) = same_file().find(|holder| holder.row == claim.row) {
        return if own.lead_id == claim.lead_id { Verdict::Own } else { Verdict::Existing(own.lead_id) };
    }
    match (holders().find(|holder| holder.root_input_id != root_input_id), on_existing) {
        (None, _) => Verdict::Own,
        (Some(_), OnExisting::Skip) => Verdict::LeftOut,
        (Some(other), OnExisting::Attach) => Verdict::Existing(other.lead_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::lead_id;

    fn claim(input: &str, row: u64, keys: &[u8]) -> Claim {
        Claim { lead_id: lead_id(input, row), row, keys: keys.iter().map(|k| [*k; 16]).collect() }
    }

    /// Judges, and records the claims as the table would.
    fn run(input: &str, skip: bool, rows: &[Claim], held: &mut HashMap<Key, Vec<Holder>>) -> Vec<Verdict> {
        let on_existing = if skip { OnExisting::Skip } else { OnExisting::Attach };
        let verdicts = judge(input, on_existing, rows, held);
        for (claim, verdict) in rows.iter().zip(&verdicts) {
            let lead_id = match verdict {
                Verdict::Own => claim.lead_id,
                Verdict::Existing(id) => *id,
                Verdict::DuplicateOf(_) | Verdict::LeftOut => continue,
            };
            for key in &claim.keys {
                let holders = held.entry(*key).or_default();
                if !holders.iter().any(|h| h.root_input_id == input) {
                    holders.push(Holder { root_input_id: input.into(), row: claim.row, lead_id });
                }
            }
        }
        verdicts
    }

    #[test]
    fn within_a_file_the_first_row_wins_and_a_repeat_says_the_same() {
        let mut held = HashMap::new();
        let rows = [
            claim("a", 1, &[1, 2]),
            claim("a", 2, &[2, 3]),
            claim("a", 3, &[3]),
            claim("a", 4, &[]),
            claim("a", 5, &[]),
        ];
        let want = [Verdict::Own, Verdict::DuplicateOf(1), Verdict::Own, Verdict::Own, Verdict::Own];
        assert_eq!(run("a", false, &rows, &mut held), want);
        assert_eq!(run("a", false, &rows, &mut held), want);
        assert_eq!(run("a", true, &rows, &mut held), want, "rows of the same input never count as existing");
        assert_eq!(run("a", false, &[claim("a", 9, &[3])], &mut held), [Verdict::DuplicateOf(3)]);
    }

    #[test]
    fn another_files_lead_is_attached_to_or_left_out() {
        let mut held = HashMap::new();
        run("a", false, &[claim("a", 1, &[1, 2])], &mut held);
        let known = lead_id("a", 1);
        let rows = [claim("b", 1, &[2, 5]), claim("b", 2, &[2]), claim("b", 3, &[5]), claim("b", 4, &[6])];
        let left_out = [Verdict::LeftOut, Verdict::LeftOut, Verdict::Own, Verdict::Own];
        assert_eq!(run("b", true, &rows, &mut held.clone()), left_out);
        let want = [Verdict::Existing(known), Verdict::DuplicateOf(1), Verdict::DuplicateOf(1), Verdict::Own];
        assert_eq!(run("b", false, &rows, &mut held), want);
        assert_eq!(run("b", false, &rows, &mut held), want);
        // The first file again, after the second came to hold the key too.
        assert_eq!(run("a", false, &[claim("a", 1, &[1, 2])], &mut held), [Verdict::Own]);
    }
}
