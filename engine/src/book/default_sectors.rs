//! The sectors that a tenant begins with: the trades of the Standard Industrial Classification of 1987, nationwide, in 17
//! groups. Each names its four-digit codes; those that also name a two-digit group take what of it nobody else names.

use luci_schema::{Micros, SectorId};

use super::sectors::Sector;

/// The set's name, in the event that tells of it.
pub const NAME: &str = "sic-1987/1";

const DATA: &[u8] = include_bytes!("../../data/sectors.csv");

/// The set, with fresh ids. A record that is no sector is left out; a test holds that there is none.
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

    const GROUPS: [&str; 17] = [
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

    #[test]
    fn the_set_is_whole_and_no_code_is_in_two_sectors() {
        let all = all();
        assert_eq!(all.len(), DATA.iter().filter(|byte| **byte == b'\n').count() - 1);
        let slugs: BTreeSet<&str> = all.iter().map(|sector| sector.slug.as_str()).collect();
        assert_eq!(slugs.len(), all.len());
        let of = |group: &str| slugs.iter().filter(|slug| slug.starts_with(&format!("us-{group}-"))).count();
        assert!(GROUPS.iter().all(|group| of(group) >= 4), "each group has its sectors");
        assert_eq!(GROUPS.iter().map(|group| of(group)).sum::<usize>(), all.len(), "and there is no other group");
        let mut seen = BTreeSet::new();
        for code in all.iter().flat_map(|sector| &sector.sic_codes) {
            assert!(matches!(code.len(), 2 | 4) && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
            assert!(seen.insert(code), "{code} twice");
        }
    }
}
