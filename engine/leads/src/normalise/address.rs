//! US states, counties, and the key by which two spellings of a street are equal.

use crate::normalise::text;

const STATES: [(&str, &str); 56] = [
    ("AL", "alabama"),
    ("AK", "alaska"),
    ("AZ", "arizona"),
    ("AR", "arkansas"),
    ("CA", "california"),
    ("CO", "colorado"),
    ("CT", "connecticut"),
    ("DE", "delaware"),
    ("DC", "district of columbia"),
    ("FL", "florida"),
    ("GA", "georgia"),
    ("HI", "hawaii"),
    ("ID", "idaho"),
    ("IL", "illinois"),
    ("IN", "indiana"),
    ("IA", "iowa"),
    ("KS", "kansas"),
    ("KY", "kentucky"),
    ("LA", "louisiana"),
    ("ME", "maine"),
    ("MD", "maryland"),
    ("MA", "massachusetts"),
    ("MI", "michigan"),
    ("MN", "minnesota"),
    ("MS", "mississippi"),
    ("MO", "missouri"),
    ("MT", "montana"),
    ("NE", "nebraska"),
    ("NV", "nevada"),
    ("NH", "new hampshire"),
    ("NJ", "new jersey"),
    ("NM", "new mexico"),
    ("NY", "new york"),
    ("NC", "north carolina"),
    ("ND", "north dakota"),
    ("OH", "ohio"),
    ("OK", "oklahoma"),
    ("OR", "oregon"),
    ("PA", "pennsylvania"),
    ("RI", "rhode island"),
    ("SC", "south carolina"),
    ("SD", "south dakota"),
    ("TN", "tennessee"),
    ("TX", "texas"),
    ("UT", "utah"),
    ("VT", "vermont"),
    ("VA", "virginia"),
    ("WA", "washington"),
    ("WV", "west virginia"),
    ("WI", "wisconsin"),
    ("WY", "wyoming"),
    ("PR", "puerto rico"),
    ("GU", "guam"),
    ("VI", "virgin islands"),
    ("AS", "american samoa"),
    ("MP", "northern mariana islands"),
];

/// `new york`, `NY`, `N.Y.` → `NY`; `None` for what is not a state, DC or a territory.
pub fn state(text: &str) -> Option<&'static str> {
    let plain: String = text.chars().filter(|c| *c != '.').collect();
    let plain = plain.trim();
    STATES.iter().find(|(code, name)| plain.eq_ignore_ascii_case(code) || plain.eq_ignore_ascii_case(name)).map(|s| s.0)
}

/// The codes of all states, DC and the territories.
pub fn state_codes() -> impl Iterator<Item = &'static str> {
    STATES.iter().map(|(code, _)| *code)
}

/// `Kings County` → `Kings`.
pub fn county(text: &str) -> String {
    let text = text.trim();
    let cut = text.len().checked_sub(7).filter(|at| text.is_char_boundary(*at));
    match cut {
        Some(at) if at > 0 && text[at..].eq_ignore_ascii_case(" county") => text[..at].trim_end().to_owned(),
        _ => text.to_owned(),
    }
}

/// Lower case, no punctuation, common words abbreviated: `12 North Main Street, Apt. 4` equals `12 n main st apt 4`.
pub fn street_key(street: &str) -> String {
    let lower = text::plain(street).to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(abbreviation).collect::<Vec<_>>().join(" ")
}

fn abbreviation(word: &str) -> &str {
    match word {
        "street" => "st",
        "avenue" => "ave",
        "road" => "rd",
        "boulevard" => "blvd",
        "drive" => "dr",
        "lane" => "ln",
        "court" => "ct",
        "place" => "pl",
        "square" => "sq",
        "highway" => "hwy",
        "parkway" => "pkwy",
        "north" => "n",
        "south" => "s",
        "east" => "e",
        "west" => "w",
        "suite" => "ste",
        "apartment" => "apt",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        for (text, code) in [
            ("NY", Some("NY")),
            ("ny", Some("NY")),
            ("N.Y.", Some("NY")),
            ("new York", Some("NY")),
            ("pr", Some("PR")),
            ("District of Columbia", Some("DC")),
            ("XX", None),
            ("Ontario", None),
            ("", None),
        ] {
            assert_eq!(state(text), code, "{text}");
        }
    }

    #[test]
    fn counties_and_streets() {
        assert_eq!(county("Kings County "), "Kings");
        assert_eq!(county("County"), "County");
        assert_eq!(county("São County"), "São");
        assert_eq!(street_key("12 North Main Street, Apt. 4"), street_key("12 n main st apt 4"));
        assert_ne!(street_key("12 Main St"), street_key("12 Main Ave"));
    }
}
