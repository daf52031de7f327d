//! Assigns a lead to a sector: the run's own, else by state and SIC code, the most exact match first.

use std::collections::HashMap;

use luci_schema::SectorId;

use crate::{
    Lead,
    lead::assignment::{AssignmentRule, SectorAssignment},
};

/// The sectors of a tenant, indexed by state and SIC code.
#[derive(Debug, Clone, Default)]
pub struct SectorIndex {
    /// By state (empty: nationwide), then by SIC code or prefix.
    by_state: HashMap<String, HashMap<String, SectorId>>,
}

impl SectorIndex {
    /// Adds a sector; `state` is `None` for nationwide. Of several sectors with the same code and state the first one counts,
    /// so callers add them in the order of their slugs.
    pub fn add(&mut self, id: SectorId, state: Option<String>, sic_codes: Vec<String>) {
        let codes = self.by_state.entry(state.unwrap_or_default()).or_default();
        for code in sic_codes {
            codes.entry(code).or_insert(id);
        }
    }

    /// Assigns a lead; `explicit` is the sector that the run names.
    pub fn assign(&self, lead: &Lead, explicit: Option<SectorId>) -> SectorAssignment {
        let assignment =
            |sector_id, rule: AssignmentRule| SectorAssignment { sector_id, rule, confidence: rule.confidence() };
        if explicit.is_some() {
            return assignment(explicit, AssignmentRule::Run);
        }
        let Some(sic) = lead.firm.sic_code.as_deref() else { return assignment(None, AssignmentRule::Unassigned) };
        // A lead without a state matches nationwide sectors only.
        let state = lead.state().and_then(|state| self.by_state.get(state));
        let nation = self.by_state.get("");
        let found = exact(state, sic)
            .map(|id| (id, AssignmentRule::StateSic))
            .or_else(|| Some((exact(nation, sic)?, AssignmentRule::NationSic)))
            .or_else(|| Some((prefix(state, sic)?, AssignmentRule::StatePrefix)))
            .or_else(|| Some((prefix(nation, sic)?, AssignmentRule::NationPrefix)));
        found.map_or(assignment(None, AssignmentRule::Unassigned), |(id, rule)| assignment(Some(id), rule))
    }

    /// The sector of a SIC code alone: a nationwide one before one of a state, the whole code before a prefix. Of several states
    /// the first in the alphabet counts.
    pub fn of_sic(&self, sic: &str) -> Option<SectorId> {
        let mut states: Vec<&String> = self.by_state.keys().collect();
        // The key of nationwide sectors is empty, and so the first.
        states.sort_unstable();
        let codes = |find: fn(Codes<'_>, &str) -> Option<SectorId>| {
            states.iter().find_map(|state| find(self.by_state.get(*state), sic))
        };
        codes(exact).or_else(|| codes(prefix))
    }
}

type Codes<'a> = Option<&'a HashMap<String, SectorId>>;

fn exact(codes: Codes<'_>, sic: &str) -> Option<SectorId> {
    codes?.get(sic).copied()
}

/// The longest registered prefix of two digits or more.
fn prefix(codes: Codes<'_>, sic: &str) -> Option<SectorId> {
    let codes = codes?;
    (2..sic.len()).rev().find_map(|length| codes.get(sic.get(..length)?).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, lead_id};

    fn lead(sic: &str, state: &str) -> Lead {
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        lead.firm.sic_code = (!sic.is_empty()).then(|| sic.into());
        lead.address = Some(Address { state: (!state.is_empty()).then(|| state.into()), ..Address::default() });
        lead
    }

    #[test]
    fn the_most_exact_rule_wins_and_of_equals_the_first() {
        let sectors = [
            ("ny-plumbers-a", Some("NY"), vec!["1711"]),
            ("ny-plumbers-b", Some("NY"), vec!["1711"]),
            ("ny-trades", Some("NY"), vec!["17"]),
            ("ny-trades-electric", Some("NY"), vec!["173"]),
            ("us-plumbers", None, vec!["1711"]),
            ("us-trades", None, vec!["17", "1"]),
        ]
        .map(|sector| (SectorId::generate(), sector));
        let mut index = SectorIndex::default();
        for (id, (_, state, codes)) in &sectors {
            index.add(*id, state.map(str::to_owned), codes.iter().map(|code| (*code).to_owned()).collect());
        }
        let assigned = |sic: &str, state: &str| {
            let assignment = index.assign(&lead(sic, state), None);
            let sector = assignment.sector_id.and_then(|id| sectors.iter().find(|(own, _)| *own == id));
            (sector.map_or("-", |(_, (slug, ..))| *slug), assignment.rule, assignment.confidence)
        };
        assert_eq!(assigned("1711", "NY"), ("ny-plumbers-a", AssignmentRule::StateSic, 100));
        assert_eq!(assigned("1711", "TX"), ("us-plumbers", AssignmentRule::NationSic, 90));
        assert_eq!(assigned("1711", ""), ("us-plumbers", AssignmentRule::NationSic, 90));
        assert_eq!(assigned("1731", "NY"), ("ny-trades-electric", AssignmentRule::StatePrefix, 70));
        assert_eq!(assigned("1799", "NY"), ("ny-trades", AssignmentRule::StatePrefix, 70));
        assert_eq!(assigned("1731", "TX"), ("us-trades", AssignmentRule::NationPrefix, 60));
        assert_eq!(assigned("1521", "TX"), ("-", AssignmentRule::Unassigned, 0));
        assert_eq!(assigned("", "NY"), ("-", AssignmentRule::Unassigned, 0));
        let of_sic =
            |sic: &str| index.of_sic(sic).and_then(|id| sectors.iter().find(|one| one.0 == id)).map(|one| one.1.0);
        assert_eq!(of_sic("1711"), Some("us-plumbers"));
        assert_eq!(of_sic("1731"), Some("us-trades"), "nationwide before a longer prefix of one state");
        assert_eq!(of_sic("1521"), None);
        let explicit = sectors[2].0;
        let assignment = index.assign(&lead("", ""), Some(explicit));
        assert_eq!((assignment.sector_id, assignment.rule), (Some(explicit), AssignmentRule::Run));
    }
}
