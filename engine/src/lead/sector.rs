//! Which sector a lead belongs to: the run's own, else by state and SIC code, the most exact first (`domain.md` 1.5).

use std::collections::HashMap;

use luci_schema::SectorId;
use serde::{Deserialize, Serialize};

use super::{Lead, record::Placed};

/// A sector as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sector {
    pub id: SectorId,
    pub slug: String,
    /// None: nationwide.
    pub state: Option<String>,
    pub sic_codes: Vec<String>,
}

/// Which rule placed a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The run names the sector.
    Run,
    StateSic,
    NationSic,
    StatePrefix,
    NationPrefix,
    Unassigned,
}

impl Rule {
    pub const fn confidence(self) -> u8 {
        match self {
            Self::Run | Self::StateSic => 100,
            Self::NationSic => 90,
            Self::StatePrefix => 70,
            Self::NationPrefix => 60,
            Self::Unassigned => 0,
        }
    }
}

/// A tenant's sectors, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Sectors {
    /// By state (empty: nationwide), then by code or prefix.
    by_state: HashMap<String, HashMap<String, SectorId>>,
}

impl Sectors {
    /// Of sectors that name the same code for the same state, the lowest slug has it.
    pub fn new(mut sectors: Vec<Sector>) -> Self {
        sectors.sort_by(|a, b| a.slug.cmp(&b.slug));
        let mut by_state: HashMap<String, HashMap<String, SectorId>> = HashMap::new();
        for sector in sectors {
            let codes = by_state.entry(sector.state.unwrap_or_default()).or_default();
            for code in sector.sic_codes {
                codes.entry(code).or_insert(sector.id);
            }
        }
        Self { by_state }
    }

    /// Places a lead; `explicit` is the sector that the run was given.
    pub fn place(&self, lead: &Lead, explicit: Option<SectorId>) -> Placed {
        let placed = |sector_id, rule: Rule| Placed { sector_id, rule, confidence: rule.confidence() };
        if explicit.is_some() {
            return placed(explicit, Rule::Run);
        }
        let Some(sic) = lead.firm.sic_code.as_deref() else { return placed(None, Rule::Unassigned) };
        // A lead without a state belongs to no state's sector.
        let state = lead.state().and_then(|state| self.by_state.get(state));
        let nation = self.by_state.get("");
        let found = exact(state, sic)
            .map(|id| (id, Rule::StateSic))
            .or_else(|| Some((exact(nation, sic)?, Rule::NationSic)))
            .or_else(|| Some((prefix(state, sic)?, Rule::StatePrefix)))
            .or_else(|| Some((prefix(nation, sic)?, Rule::NationPrefix)));
        found.map_or(placed(None, Rule::Unassigned), |(id, rule)| placed(Some(id), rule))
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
    use crate::lead::{Address, lead_id};

    fn sector(slug: &str, state: Option<&str>, codes: &[&str]) -> Sector {
        let sic_codes = codes.iter().map(|c| c.to_string()).collect();
        Sector { id: SectorId::generate(), slug: slug.into(), state: state.map(str::to_owned), sic_codes }
    }

    fn lead(sic: &str, state: &str) -> Lead {
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        lead.firm.sic_code = (!sic.is_empty()).then(|| sic.into());
        lead.address = Some(Address { state: (!state.is_empty()).then(|| state.into()), ..Address::default() });
        lead
    }

    #[test]
    fn the_most_exact_rule_wins_and_ties_go_to_the_lowest_slug() {
        let all = [
            sector("ny-plumbers-b", Some("NY"), &["1711"]),
            sector("ny-plumbers-a", Some("NY"), &["1711"]),
            sector("us-plumbers", None, &["1711"]),
            sector("ny-trades", Some("NY"), &["17"]),
            sector("ny-trades-electric", Some("NY"), &["173"]),
            sector("us-trades", None, &["17", "1"]),
        ];
        let sectors = Sectors::new(all.to_vec());
        let slug = |sic: &str, state: &str| {
            let placed = sectors.place(&lead(sic, state), None);
            let slug = placed.sector_id.map(|id| all.iter().find(|s| s.id == id).unwrap().slug.as_str());
            (slug.unwrap_or("-"), placed.rule, placed.confidence)
        };
        assert_eq!(slug("1711", "NY"), ("ny-plumbers-a", Rule::StateSic, 100));
        assert_eq!(slug("1711", "TX"), ("us-plumbers", Rule::NationSic, 90));
        assert_eq!(slug("1711", ""), ("us-plumbers", Rule::NationSic, 90));
        assert_eq!(slug("1731", "NY"), ("ny-trades-electric", Rule::StatePrefix, 70));
        assert_eq!(slug("1799", "NY"), ("ny-trades", Rule::StatePrefix, 70));
        assert_eq!(slug("1731", "TX"), ("us-trades", Rule::NationPrefix, 60));
        assert_eq!(slug("1521", "TX"), ("-", Rule::Unassigned, 0));
        assert_eq!(slug("", "NY"), ("-", Rule::Unassigned, 0));
        let own = all[3].id;
        let placed = sectors.place(&lead("", ""), Some(own));
        assert_eq!((placed.sector_id, placed.rule), (Some(own), Rule::Run));
    }
}
