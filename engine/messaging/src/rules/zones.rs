//! Every time zone that a recipient may be in: of the ZIP code, or else of the state and the area code, never of the tenant.
//!
//! The tables are the files `data/*_zones.csv`, each with its source and date. Where two sources differ, and where a code
//! reaches over a border, all zones are named: a message is sent only when it is a lawful hour in each.

use std::{collections::HashMap, sync::LazyLock};

use luci_leads::{Lead, lead::parts::Address};

/// Names of zones; the tables live as long as the program.
type Zones = Vec<&'static str>;

struct Tables {
    /// First and last ZIP, sorted.
    zips: Vec<(u32, u32, Zones)>,
    states: HashMap<&'static str, Zones>,
    area_codes: HashMap<&'static str, Zones>,
    /// By the first letter of a postal code of Canada.
    postal: HashMap<&'static str, Zones>,
    /// Digits after the plus sign.
    countries: HashMap<&'static str, Zones>,
    /// Of the fifty states and DC: for numbers that say nothing about a place.
    all_states: Zones,
}

/// Territories: outside of the fifty states.
const TERRITORIES: [&str; 8] = ["AS", "FM", "GU", "MH", "MP", "PR", "PW", "VI"];

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let states = by_code(include_str!("../../data/state_zones.csv"));
    let own = |state: &&str| !TERRITORIES.contains(state);
    let mut all_states: Zones =
        states.keys().filter(|state| own(state)).flat_map(|state| states[*state].clone()).collect();
    sort(&mut all_states);
    let zips = lines(include_str!("../../data/zip_zones.csv")).filter_map(|line| {
        let mut cells = line.split(',');
        let (first, last) = (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
        Some((first, last, cells.next()?.split('|').collect()))
    });
    Tables {
        zips: zips.collect(),
        states,
        area_codes: by_code(include_str!("../../data/area_code_zones.csv")),
        postal: by_code(include_str!("../../data/postal_zones.csv")),
        countries: by_code(include_str!("../../data/country_zones.csv")),
        all_states,
    }
});

fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn by_code(file: &'static str) -> HashMap<&'static str, Zones> {
    lines(file)
        .filter_map(|line| line.split_once(','))
        .map(|(code, zones)| (code, zones.split('|').collect()))
        .collect()
}

fn sort(zones: &mut Zones) {
    zones.sort_unstable();
    zones.dedup();
}

/// Where a recipient may be, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    pub zip: Option<&'a str>,
    /// Two letters.
    pub state: Option<&'a str>,
}

/// The zones of a number (E.164) and a place; never empty.
pub fn zones_of(number: &str, place: Place<'_>) -> Vec<&'static str> {
    let by_state = place.state.and_then(|state| TABLES.states.get(state.trim().to_ascii_uppercase().as_str()));
    let by_zip = place.zip.and_then(|zip| of_zip(zip).or_else(|| of_postal_code(zip)));
    let mut zones = match (by_zip, by_state) {
        // A ZIP of another state than the one that is named: one of them is wrong.
        (Some(zip), Some(state)) if !zip.iter().any(|zone| state.contains(zone)) => {
            [zip, state.clone(), of_number(number)].concat()
        }
        (Some(zip), _) => zip,
        (None, Some(state)) => [state.clone(), of_number(number)].concat(),
        (None, None) => of_number(number),
    };
    sort(&mut zones);
    zones
}

/// The zones of a lead at one of its numbers, as they are stored.
pub fn of_lead(number: &str, lead: &Lead) -> Vec<String> {
    let place =
        |address: &'_ Address| zones_of(number, Place { zip: address.zip.as_deref(), state: address.state.as_deref() });
    // A property and its owner's mailing address may be far apart.
    let mut zones: Zones = [&lead.address, &lead.mailing].into_iter().flatten().flat_map(place).collect();
    if zones.is_empty() {
        zones = zones_of(number, Place::default());
    }
    sort(&mut zones);
    zones.into_iter().map(str::to_owned).collect()
}

/// `37902`, `37902-1234`. A ZIP between two known ones has the zones of both; none where its region is unknown.
fn of_zip(text: &str) -> Option<Zones> {
    let text = text.trim();
    let (five, rest) = text.split_at_checked(5)?;
    let plus_four = |rest: &str| {
        rest.trim_start_matches('-').len() == 4 && rest.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit())
    };
    if !five.bytes().all(|byte| byte.is_ascii_digit()) || !(rest.is_empty() || plus_four(rest)) {
        return None;
    }
    let zip: u32 = five.parse().ok()?;
    let after = TABLES.zips.partition_point(|(first, _, _)| *first <= zip);
    let before = after.checked_sub(1).map(|at| &TABLES.zips[at]);
    if let Some((_, last, zones)) = before
        && zip <= *last
    {
        return Some(zones.clone());
    }
    let near = [
        before.map(|(_, last, zones)| (*last, zones)),
        TABLES.zips.get(after).map(|(first, _, zones)| (*first, zones)),
    ];
    let same_region = near.into_iter().flatten().filter(|(edge, _)| edge / 100 == zip / 100);
    let zones: Zones = same_region.flat_map(|(_, zones)| zones.clone()).collect();
    (!zones.is_empty()).then_some(zones)
}

/// `K1A 0B1`: of Canada.
fn of_postal_code(text: &str) -> Option<Zones> {
    let signs: Vec<u8> = text.bytes().filter(|b| !matches!(b, b' ' | b'-')).collect();
    let letter = |at: usize| signs[at].is_ascii_alphabetic();
    let digit = |at: usize| signs[at].is_ascii_digit();
    let fits = signs.len() == 6 && [0, 2, 4].into_iter().all(letter) && [1, 3, 5].into_iter().all(digit);
    let first = fits.then(|| char::from(signs[0].to_ascii_uppercase()).to_string())?;
    TABLES.postal.get(first.as_str()).cloned()
}

fn of_number(number: &str) -> Zones {
    let Some(digits) = number.strip_prefix('+') else { return TABLES.all_states.clone() };
    let found = match digits.strip_prefix('1') {
        Some(national) => national.get(..3).and_then(|code| TABLES.area_codes.get(code)),
        None => (1..=digits.len()).rev().find_map(|length| TABLES.countries.get(digits.get(..length)?)),
    };
    found.unwrap_or(&TABLES.all_states).clone()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn zones(number: &str, zip: &str, state: &str) -> Vec<&'static str> {
        let given = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        let (zip, state) = (zip.to_owned().leak(), state.to_owned().leak());
        zones_of(number, Place { zip: given(zip), state: given(state) })
    }

    #[test]
    fn every_zone_of_the_tables_exists() {
        let states = TABLES.states.values().chain(TABLES.area_codes.values()).chain(TABLES.countries.values());
        let states = states.chain(TABLES.postal.values());
        for zone in states.flatten().chain(TABLES.zips.iter().flat_map(|(_, _, zones)| zones)) {
            assert!(TimeZone::get(zone).is_ok(), "{zone}");
        }
        assert!(TABLES.zips.is_sorted_by_key(|(first, _, _)| *first) && TABLES.zips.len() > 500);
        assert!(TABLES.zips.windows(2).all(|pair| pair[0].1 < pair[1].0), "ranges do not overlap");
        let names = ["America/New_York", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu"];
        assert!(TABLES.states.len() == 59 && names.iter().all(|zone| TABLES.all_states.contains(zone)));
    }

    #[test]
    fn a_lead_is_at_both_of_its_addresses() {
        let mut lead = Lead::bare(luci_leads::lead_id("import_x", 1), 1, 2);
        assert_eq!(of_lead("+18085550105", &lead), ["Pacific/Honolulu"]);
        lead.address = Some(Address { zip: Some("96813".into()), state: Some("HI".into()), ..Address::default() });
        lead.mailing = Some(Address { zip: Some("10001".into()), ..Address::default() });
        assert_eq!(of_lead("+18085550105", &lead), ["America/New_York", "Pacific/Honolulu"]);
    }

    #[test]
    fn the_zip_decides_else_state_and_area_code() {
        const NY: &str = "America/New_York";
        const CHICAGO: &str = "America/Chicago";
        const DENVER: &str = "America/Denver";
        for (number, zip, state, expected) in [
            ("+18655550101", "37902", "TN", vec![NY]),
            ("+19155550102", "79901", "TX", vec![DENVER]),
            ("+18505550103", "32501", "FL", vec![CHICAGO]),
            ("+15415550104", "97914-0001", "OR", vec!["America/Boise", "America/Los_Angeles"]),
            ("+18085550105", "", "", vec!["Pacific/Honolulu"]),
            ("+18505550103", "", "", vec![CHICAGO, NY]),
            ("+12125550100", "", "TN", vec![CHICAGO, NY]),
            ("+12125550100", "", "HI", vec![NY, "Pacific/Honolulu"]),
            // The ZIP is of Hawaii, the state is not.
            ("+12125550100", "96813", "NY", vec![NY, "Pacific/Honolulu"]),
            ("+14165550100", "K1A 0B1", "ON", vec!["America/Toronto"]),
            // A number of Toronto in Alberta, in Newfoundland, and with a British postcode.
            ("+14165550100", "T2P 1J9", "", vec!["America/Edmonton"]),
            ("+14165550100", "a1c5m4", "", vec!["America/Goose_Bay", "America/St_Johns"]),
            ("+14165550100", "M60 1NW", "", vec!["America/Toronto"]),
            ("+6582345678", "", "", vec!["Asia/Singapore"]),
            ("+442079460958", "", "", vec!["Europe/London"]),
        ] {
            assert_eq!(zones(number, zip, state), expected, "{number} {zip} {state}");
        }
        // Toll-free and unknown numbers: all states.
        assert_eq!(zones("+18005550100", "", ""), TABLES.all_states);
        assert_eq!(zones("72345", "", ""), TABLES.all_states);
        // No place has this ZIP; its neighbours are in two zones.
        assert!(zones("+12125550100", "32458", "FL").contains(&CHICAGO));
        assert!(!zones("+12125550100", "99999", "").is_empty());
    }
}
