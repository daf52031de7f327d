//! One written number to E.164: North American numbers by their own plan, all others by libphonenumber's *possible*.

use std::ops::RangeInclusive;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat};

use super::{Country, Named, Reason};

/// What a row says about its numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints<'a> {
    /// Three digits, from a column of its own.
    pub area: Option<&'a str>,
    /// The country that the row names, whose numbers are written without its code.
    pub country: Named,
}

/// Digits of a number with its country code: at most those of E.164, at least those of the shortest that people have (+683 4002 of
/// Niue). libphonenumber's *possible* also lets through what is dialled within a town only (+43 5678), and longer ones.
const DIGITS: RangeInclusive<usize> = 7..=15;

/// `text` has digits and punctuation only, without an extension.
pub(super) fn parse(text: &str, hints: Hints) -> Result<String, Reason> {
    let text = text.trim_matches(|c: char| !matches!(c, '0'..='9' | '+' | '('));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return Err(Reason::NoDigits);
    }
    let plus = text.trim_start_matches(['(', ' ']).starts_with('+');
    if text.matches('+').count() > usize::from(plus) {
        return Err(Reason::Unclear);
    }
    if plus {
        // `+0044 …`: the prefix is dialled in place of the plus sign.
        return international(after_international_prefix(&digits).unwrap_or(&digits));
    }
    if let Some(digits) = after_international_prefix(&digits) {
        return international(digits);
    }
    match hints.country {
        Named::Country(country) if !country.north_american() => national(&digits, country),
        // `+1` would make a North American number of one that is not.
        Named::Unknown => Err(Reason::Unclear),
        Named::Country(_) | Named::Nothing => north_american(text, &digits, hints.area),
    }
}

/// `011 44 …` as dialled from North America, `00 44 …` as from most other countries.
fn after_international_prefix(digits: &str) -> Option<&str> {
    let rest = digits.strip_prefix("011").or_else(|| digits.strip_prefix("00"))?;
    (rest.len() >= 7 && !rest.starts_with('0')).then_some(rest)
}

fn international(digits: &str) -> Result<String, Reason> {
    match digits.strip_prefix('1') {
        Some(national) => dialable(national),
        None => possible(&format!("+{digits}"), None),
    }
}

/// A number without country code, in a row of that country.
fn national(digits: &str, country: Country) -> Result<String, Reason> {
    possible(digits, Some(country))
}

fn possible(text: &str, country: Option<Country>) -> Result<String, Reason> {
    let number = parsed(text, country)?;
    let digits = number.len() - "+".len();
    if !DIGITS.contains(&digits) {
        return Err(if digits < *DIGITS.start() { Reason::TooShort } else { Reason::TooLong });
    }
    // Of some numbers that begin with zeros, libphonenumber drops one more each time: they are another number when stored.
    if parsed(&number, None).as_ref() != Ok(&number) { Err(Reason::Unclear) } else { Ok(number) }
}

fn parsed(text: &str, country: Option<Country>) -> Result<String, Reason> {
    let region = country.and_then(Country::region);
    let number = PHONE_NUMBER_UTIL.parse(text, region).map_err(|_| Reason::NoSuchCountry)?;
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) {
        Ok(NumberLengthType::IsPossible) => Ok(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned()),
        Ok(_) => Err(Reason::NoAreaCode),
        Err(rlibphonenumber::ValidationError::TooLong) => Err(Reason::TooLong),
        Err(_) => Err(Reason::TooShort),
    }
}

fn north_american(text: &str, digits: &str, area: Option<&str>) -> Result<String, Reason> {
    let national = match (digits.len(), area) {
        (11, _) if digits.starts_with('1') => &digits[1..],
        (7, Some(area)) => return dialable(&format!("{area}{digits}")),
        (7, None) => return Err(Reason::NoAreaCode),
        (10, _) => digits,
        (..10, _) => return Err(Reason::TooShort),
        _ => return Err(Reason::TooLong),
    };
    if !grouped(text, digits.len() - national.len()) {
        return Err(Reason::Unclear);
    }
    dialable(national)
}

/// Area code and exchange begin with 2 to 9. 555 and unassigned area codes stay: *possible*, not *valid*.
fn dialable(national: &str) -> Result<String, Reason> {
    let bytes = national.as_bytes();
    match bytes.len() {
        ..10 => return Err(Reason::TooShort),
        10 => {}
        _ => return Err(Reason::TooLong),
    }
    let repeated = bytes.iter().all(|b| *b == bytes[0]);
    if bytes[0] < b'2' || bytes[3] < b'2' || repeated {
        return Err(Reason::NotDialable);
    }
    Ok(format!("+1{national}"))
}

/// Whether the digits are grouped as in North America: after the area code, or not at all. `20 7946 0958` and `532 423 45 67`
/// are written as abroad, and a date is not a number.
fn grouped(text: &str, trunk: usize) -> bool {
    let mut groups: Vec<usize> =
        text.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|digits| *digits > 0).collect();
    if groups.iter().all(|digits| *digits == 1) {
        return true;
    }
    if trunk == 1 {
        groups[0] -= 1;
        groups.retain(|digits| *digits > 0);
    }
    matches!(groups[..], [3, 3, 4] | [3, 7] | [6, 4] | [10] | [3, 4, 3] | [3, 3, 1, 3] | [3, 3, 3, 1])
}
