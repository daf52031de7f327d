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
    let bare: String = text.chars().filter(|c| *c != '.').collect();
    let bare = bare.trim();
    let usual = STATES.iter().find(|(code, name)| bare.eq_ignore_ascii_case(code) || bare.eq_ignore_ascii_case(name));
    usual.map(|state| state.0).or_else(|| by_words(text))
}

/// Abbreviations before the codes of two letters, and other names.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("AZ", "ariz"),
    ("CA", "calif"),
    ("CO", "colo"),
    ("CT", "conn"),
    ("DC", "dc"),
    ("DC", "d c"),
    ("DC", "washington dc"),
    ("DC", "washington d c"),
    ("FL", "fla"),
    ("IL", "ill"),
    ("KS", "kans"),
    ("MA", "mass"),
    ("MI", "mich"),
    ("MN", "minn"),
    ("MS", "miss"),
    ("MT", "mont"),
    ("NE", "nebr"),
    ("OK", "okla"),
    ("OR", "oreg"),
    ("PA", "penn"),
    ("PA", "penna"),
    ("TN", "tenn"),
    ("TX", "tex"),
    ("WA", "wash"),
    ("WI", "wis"),
    ("WI", "wisc"),
    ("WY", "wyo"),
];

/// `NY - New York`, `US-NY`, `State of New York`, `N. Carolina`, `Texas, USA`
fn by_words(text: &str) -> Option<&'static str> {
    let plain = text::plain(text).to_lowercase();
    let letters: String = text::unwrapped(&plain).chars().filter(|c| !matches!(c, '\'' | '’' | 'ʻ' | '‘')).collect();
    let mut words: Vec<&str> = letters.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    while matches!(words[..], ["us" | "usa", _, ..] | ["u", "s", _, ..]) {
        words.remove(0);
        if words.first() == Some(&"s") {
            words.remove(0);
        }
    }
    while let [_, .., "us" | "usa" | "state"] = words[..] {
        words.pop();
    }
    if let ["state" | "commonwealth", "of", ..] = words[..] {
        words.drain(..2);
    }
    let code = |word: &str| STATES.iter().find(|(code, _)| code.eq_ignore_ascii_case(word)).map(|state| state.0);
    let named = |words: &[&str]| {
        let compass = match words.first() {
            Some(&("n" | "no")) => Some("north"),
            Some(&("s" | "so")) => Some("south"),
            Some(&("w" | "west")) => Some("west"),
            _ => None,
        };
        let rest = if compass.is_some() { &words[1..] } else { words };
        let name = compass.into_iter().chain(rest.iter().copied()).collect::<Vec<_>>().join(" ");
        STATES.iter().chain(OTHER_NAMES).find(|(_, known)| *known == name).map(|state| state.0)
    };
    match &words[..] {
        [] => None,
        [one] => code(one).or_else(|| named(&words)),
        // Both must be the same state.
        [first, rest @ ..] => {
            named(&words).or_else(|| code(first).filter(|state| named(rest) == Some(*state))).or_else(|| {
                let (last, front) = words.split_last()?;
                code(last).filter(|state| named(front) == Some(*state))
            })
        }
    }
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
            ("Washington, D.C.", Some("DC")),
            ("NY - New York", Some("NY")),
            ("New York (NY)", Some("NY")),
            ("US-NY", Some("NY")),
            ("NY, USA", Some("NY")),
            ("State of New York", Some("NY")),
            ("NEW  YORK", Some("NY")),
            ("'NY'", Some("NY")),
            ("ＮＹ", Some("NY")),
            ("N. Carolina", Some("NC")),
            ("So. Dakota", Some("SD")),
            ("W. Virginia", Some("WV")),
            ("West Virginia", Some("WV")),
            ("Calif.", Some("CA")),
            ("U.S. Virgin Islands", Some("VI")),
            ("Hawai’i", Some("HI")),
            ("Kansas City", None),
            ("NY - New Jersey", None),
            ("York", None),
            ("US", None),
            ("State", None),
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
