//! ZIP codes and foreign postcodes. They are text: digits are never picked out of them, and only a US ZIP gets its zeros back.

use crate::normalise::{
    address,
    text::{Numeric, numeric, plain, unwrapped},
};

/// A postcode as leads keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Postcode {
    /// Five digits, and the four of ZIP+4.
    Us { zip: String, plus4: Option<String> },
    /// As written.
    Foreign(String),
}

/// Characters of a foreign postcode at most.
const LONGEST: usize = 10;
/// The lowest ZIP code in use is 00501; shorter numbers have lost no zeros.
const LOWEST: u32 = 501;

/// `abroad`: the row names another country, or a state that is not one of the United States. `None` for what is no postcode.
pub fn read(text: &str, abroad: bool) -> Option<Postcode> {
    let plain = plain(text);
    let text = unwrapped(&plain);
    let text = text.trim_end_matches(['.', ',']);
    let grouped = if abroad { None } else { grouped(text) };
    let text = match (grouped.as_deref(), numeric(text, 1)) {
        (Some(digits), _) | (None, Numeric::Whole(digits)) => digits,
        (None, Numeric::Scientific | Numeric::Fraction) => return None,
        (None, Numeric::No) => text,
    };
    if !abroad && let Some((zip, plus4)) = us(without_place(text)) {
        return Some(Postcode::Us { zip, plus4 });
    }
    foreign(text).map(Postcode::Foreign)
}

/// Whether it is the five digits of a US ZIP code.
pub fn is_us(zip: &str) -> bool {
    zip.len() == 5 && zip.bytes().all(|b| b.is_ascii_digit())
}

/// `NY 10001`, `10001 NY`, `US-10001`, `10001, USA` → `10001`
fn without_place(text: &str) -> &str {
    let own = |word: &str| word.eq_ignore_ascii_case("us") || word.eq_ignore_ascii_case("usa");
    let place = |word: &str| {
        own(word) || word.eq_ignore_ascii_case("zip") || (word.len() == 2 && address::state(word).is_some())
    };
    let marks = [' ', ',', ':'];
    match (text.split_once(marks), text.rsplit_once(marks), text.split_once('-')) {
        (Some((first, zip)), _, _) if place(first) => zip.trim_matches(marks),
        (_, Some((zip, last)), _) if place(last) => zip.trim_matches(marks),
        // `DE-10115` is Berlin as often as Delaware.
        (_, _, Some((first, zip))) if own(first) => zip.trim(),
        _ => text,
    }
}

/// `10,001` as a spreadsheet shows a number → `10001`
fn grouped(text: &str) -> Option<String> {
    let (thousands, rest) = text.split_once(',')?;
    let digits =
        |part: &str, lengths: &[usize]| lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    (digits(thousands, &[1, 2]) && digits(rest, &[3])).then(|| format!("{thousands}{rest}"))
}

/// `2139`, `10001-1234`, `94105 1234`, `100011234`
fn us(text: &str) -> Option<(String, Option<String>)> {
    let groups: Vec<&str> =
        text.split([' ', '-', '–', '—', '‐', '‑']).map(str::trim).filter(|group| !group.is_empty()).collect();
    let numbers = groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_digit()));
    let five = |digits: &str| {
        let used = digits.parse::<u32>().is_ok_and(|number| number >= LOWEST);
        used.then(|| format!("{digits:0>5}"))
    };
    match (numbers, &groups[..]) {
        (true, [zip]) if (3..=5).contains(&zip.len()) => Some((five(zip)?, None)),
        (true, [whole]) if (8..=9).contains(&whole.len()) => {
            let (zip, plus4) = whole.split_at(whole.len() - 4);
            Some((five(zip)?, Some(plus4.to_owned())))
        }
        // Shorter first groups are postcodes of other countries (530-0001).
        (true, [zip, plus4]) if (4..=5).contains(&zip.len()) && plus4.len() == 4 => {
            Some((five(zip)?, Some((*plus4).to_owned())))
        }
        _ => None,
    }
}

fn foreign(text: &str) -> Option<String> {
    let written = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let digits = || written.chars().filter(char::is_ascii_digit);
    let fits = (3..=LONGEST).contains(&written.chars().count())
        && (digits().any(|digit| digit != '0') || (digits().count() == 1 && written.len() > 5))
        && written.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-'));
    fits.then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, abroad: bool) -> String {
        match read(text, abroad) {
            None => "none".into(),
            Some(Postcode::Us { zip, plus4: None }) => zip,
            Some(Postcode::Us { zip, plus4: Some(four) }) => format!("{zip}+{four}"),
            Some(Postcode::Foreign(text)) => format!("foreign {text}"),
        }
    }

    #[test]
    fn us_zip_codes_get_their_zeros_back() {
        for (text, expected) in [
            ("10001", "10001"),
            ("2139", "02139"),
            ("501", "00501"),
            ("2139.0", "02139"),
            ("10001.0", "10001"),
            ("501.00", "00501"),
            ("'02139", "02139"),
            ("=\"02139\"", "02139"),
            ("\"02139\"", "02139"),
            ("０２１３９", "02139"),
            ("\u{202a}02139\u{202c}", "02139"),
            ("02139-", "02139"),
            ("10001-1234", "10001+1234"),
            ("10001–1234", "10001+1234"),
            ("10001 - 1234", "10001+1234"),
            ("94105 1234", "94105+1234"),
            ("100011234", "10001+1234"),
            ("21391234", "02139+1234"),
            ("2139-1234", "02139+1234"),
            ("100011234.0", "10001+1234"),
            ("NY 10001", "10001"),
            ("MA, 02139", "02139"),
            ("33101 FL", "33101"),
            ("US-10001", "10001"),
            ("10001, USA", "10001"),
            ("USA 02139", "02139"),
            ("ZIP: 10001", "10001"),
            ("10,001", "10001"),
            ("2,139", "02139"),
            ("2139.000", "02139"),
            ("02139.", "02139"),
        ] {
            assert_eq!(shown(text, false), expected, "{text}");
        }
    }

    #[test]
    fn foreign_postcodes_stay_as_they_are() {
        for text in [
            "K1A 0B1",
            "D02 X285",
            "M60 1NW",
            "SW1A 1AA",
            "EC1A1BB",
            "1010 AB",
            "01310-100",
            "1000-205",
            "530-0001",
            "00-950",
            "110001",
            "AD500",
            "LV-1010",
            "D-10115",
            "DE-10115",
        ] {
            assert_eq!(shown(text, false), format!("foreign {text}"), "{text}");
        }
        // In the row of another country no zero is added.
        for text in ["2139", "8001", "10115", "0250", "501"] {
            assert_eq!(shown(text, true), format!("foreign {text}"), "{text}");
        }
    }

    #[test]
    fn what_is_no_postcode() {
        for text in ["", "12", "00000", "0", "n/a", "unknown", "1.0001E4", "2139.5", "call me at 10001", "94105,1234"] {
            assert_eq!(shown(text, false), "none", "{text}");
        }
    }
}
