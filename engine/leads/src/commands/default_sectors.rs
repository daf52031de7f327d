//! The default sectors of a tenant: the trades of the Standard Industrial Classification of 1987, nationwide, in 17 groups.
//! A sector lists four-digit codes; one that also lists a two-digit prefix gets all codes below it that no sector lists.

use luci_schema::{Micros, SectorId};

use crate::store::sectors::Sector;

/// The name of the set in events.
pub const NAME: &str = "sic-1987/1";

/// The groups of sectors; a slug is `us-{group}-{trade}`.
pub const GROUPS: [&str; 17] = [
    "automotive",
    "business-brokers-pe",
    "business-services",
    "construction-contractors",
    "education-training",
    "financial-services",
    "healthcare-medical",
    "hotels-hospitality",
    "manufacturing",
    "personal-services",
    "professional-services",
    "property-associated",
    "real-estate",
    "recreation-entertainment",
    "restaurants-food",
    "retail-stores",
    "transportation-logistics",
];

const DATA: &[u8] = include_bytes!("../../data/sectors.csv");

/// The set, with fresh ids. Invalid records are left out; a test ensures that there are none.
pub fn all() -> Vec<Sector> {
    csv::Reader::from_reader(DATA).records().filter_map(|record| sector(&record.ok()?)).collect()
}

fn sector(record: &csv::StringRecord) -> Option<Sector> {
    Some(Sector {
        id: SectorId::generate(),
        slug: record.get(0)?.to_owned(),
        name: record.get(1)?.to_owned(),
        state: None,
        sic_codes: record.get(2)?.split(' ').map(str::to_owned).collect(),
        legacy_bucket_id: None,
        created_at: Micros::now(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_set_is_complete_and_no_code_is_in_two_sectors() {
        let all = all();
        assert_eq!(all.len(), DATA.iter().filter(|byte| **byte == b'\n').count() - 1);
        let slugs: BTreeSet<&str> = all.iter().map(|sector| sector.slug.as_str()).collect();
        assert_eq!(slugs.len(), all.len());
        let count = |group: &str| slugs.iter().filter(|slug| slug.starts_with(&format!("us-{group}-"))).count();
        assert!(GROUPS.iter().all(|group| count(group) >= 4), "each group has its sectors");
        assert_eq!(GROUPS.iter().map(|group| count(group)).sum::<usize>(), all.len(), "and there is no other group");
        let mut seen = BTreeSet::new();
        for code in all.iter().flat_map(|sector| &sector.sic_codes) {
            assert!(matches!(code.len(), 2 | 4) && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
            assert!(seen.insert(code), "{code} twice");
        }
    }
}
