//! Where a row is, as far as its address says: ten digits without a country code are a North American number only in a row that
//! nothing puts elsewhere.

use std::collections::BTreeMap;

use crate::{
    Field,
    country::{self, Named},
    normalise::{address, text},
};

/// What the address of a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In the United States or in Canada.
    Home,
    /// In another country, which may be known.
    Abroad(Named),
    Unsaid,
}

/// Armed forces abroad have numbers and ZIP codes of the United States.
const MILITARY: [&str; 3] = ["AA", "AE", "AP"];

/// By states and postcodes; one in North America outweighs all that are elsewhere.
pub fn of(cells: &BTreeMap<Field, String>) -> Location {
    let states = [Field::State, Field::MailingState].into_iter().map(|field| (field, of_state as fn(&str) -> Location));
    let zips = [Field::Zip, Field::MailingZip].into_iter().map(|field| (field, of_postcode as fn(&str) -> Location));
    let cities = [Field::City, Field::MailingCity].into_iter().map(|field| (field, of_city as fn(&str) -> Location));
    let found = states.chain(zips).chain(cities).filter_map(|(field, read)| cells.get(&field).map(|cell| read(cell)));
    let mut place = Location::Unsaid;
    for one in found {
        match one {
            Location::Home => return Location::Home,
            Location::Abroad(_) if place == Location::Unsaid => place = one,
            Location::Abroad(_) | Location::Unsaid => {}
        }
    }
    place
}

fn of_state(cell: &str) -> Location {
    let plain = text::plain(cell);
    let cell = text::unwrapped(&plain);
    if address::state(cell).is_some() || MILITARY.contains(&cell.to_uppercase().as_str()) || country::is_canadian(cell)
    {
        return Location::Home;
    }
    country::of_region(cell).map_or(Location::Unsaid, |country| Location::Abroad(Named::Country(country)))
}

/// `London, UK`
fn of_city(cell: &str) -> Location {
    let Some((_, last)) = cell.rsplit_once(',') else { return Location::Unsaid };
    of_state(last)
}

/// Postcodes by the order of their letters and digits, without spaces; only what no list has for a ZIP code.
fn of_postcode(cell: &str) -> Location {
    let plain = text::plain(cell);
    let code = text::unwrapped(&plain);
    let shape = |c: char| match c {
        'a'..='z' | 'A'..='Z' => 'A',
        '0'..='9' => '9',
        other => other,
    };
    let shape: String = code.chars().filter(|c| *c != ' ').map(shape).collect();
    let country = |code: &str| Location::Abroad(code.parse().map_or(Named::Unknown, Named::Country));
    match shape.as_str() {
        // Of Canada, and ZIP+4.
        "A9A9A9" | "A9A-9A9" | "99999-9999" => Location::Home,
        "A99AA" | "A999AA" | "A9A9AA" | "AA99AA" | "AA999AA" | "AA9A9AA" => country("GB"),
        "A99A999" | "A99A99A" | "A99A9A9" | "A99A9AA" | "A99AA99" | "A99AA9A" | "A99AAA9" | "A99AAAA" | "A999A99"
        | "A999AA9" => country("IE"),
        "A9999AAA" => country("AR"),
        "99999-999" => country("BR"),
        "9999-999" => country("PT"),
        "999-9999" => country("JP"),
        "99-999" => country("PL"),
        // `1012 AB`; `2139 MA` is a ZIP code with its state.
        "9999AA" if address::state(&code[code.len() - 2..]).is_none() => country("NL"),
        "999999" => Location::Abroad(Named::Unknown),
        "99999" if code.contains(' ') => Location::Abroad(Named::Unknown),
        _ => Location::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: Field, cell: &str) -> String {
        match of(&BTreeMap::from([(field, cell.to_owned())])) {
            Location::Home => "home".into(),
            Location::Unsaid => "-".into(),
            Location::Abroad(named) => named.known().map_or("abroad".into(), |country| country.to_string()),
        }
    }

    #[test]
    fn states_and_postcodes_say_where_a_row_is() {
        for (cell, place) in [
            ("NY", "home"),
            ("New York", "home"),
            ("'NY'", "home"),
            ("Ontario", "home"),
            ("ON", "home"),
            ("Québec", "home"),
            ("AE", "home"),
            ("England", "GB"),
            ("UK", "GB"),
            ("Greater London", "GB"),
            ("NSW", "AU"),
            ("Baden-Württemberg", "DE"),
            ("Maharashtra", "IN"),
            ("New Yrok", "-"),
            ("XX", "-"),
            ("N/A", "-"),
            ("", "-"),
        ] {
            assert_eq!(shown(Field::State, cell), place, "{cell}");
        }
        for (cell, place) in [
            ("10001-1234", "home"),
            ("K1A 0B1", "home"),
            ("k1a0b1", "home"),
            ("10001", "-"),
            ("2139", "-"),
            ("2139 MA", "-"),
            ("O2139", "-"),
            ("100011234", "-"),
            ("SW1A 1AA", "GB"),
            ("M60 1NW", "GB"),
            ("e1 6an", "GB"),
            ("D02 X285", "IE"),
            ("1012 AB", "NL"),
            ("01310-100", "BR"),
            ("100-0001", "JP"),
            ("00-950", "PL"),
            ("560001", "abroad"),
            ("110 00", "abroad"),
        ] {
            assert_eq!(shown(Field::Zip, cell), place, "{cell}");
        }
        assert_eq!((shown(Field::City, "London, UK"), shown(Field::City, "London")), ("GB".into(), "-".into()));
        assert_eq!((shown(Field::City, "Albany, NY"), shown(Field::City, "Lee, Ann")), ("home".into(), "-".into()));
    }

    #[test]
    fn one_place_at_home_outweighs_others() {
        let cells = [(Field::State, "NY".to_owned()), (Field::MailingZip, "SW1A 1AA".to_owned())];
        assert_eq!(of(&BTreeMap::from(cells)), Location::Home);
    }
}
