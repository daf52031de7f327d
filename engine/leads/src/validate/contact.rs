//! The phone numbers and e-mail addresses of a row: all that its cells hold, and what could not be read.

use std::collections::BTreeMap;

use crate::{
    Field, Lead, Phone, PhoneKind,
    lead::Warning,
    normalise::{
        email,
        phone::{self, Hints, Named, Unread},
        text,
    },
    validate::{
        place::{self, Location},
        row::RawCells,
    },
};

/// In order of preference: mobile first.
const COLUMNS: [(Field, PhoneKind); 3] = [
    (Field::MobilePhone, PhoneKind::Mobile),
    (Field::DirectPhone, PhoneKind::Unknown),
    (Field::Phone, PhoneKind::Unknown),
];

/// Returns the country of numbers without country code.
pub(super) fn phones(lead: &mut Lead, cells: &mut RawCells, named: Named) -> Named {
    let area = cells.remove(&Field::AreaCode);
    let area = area.as_deref().and_then(area_code);
    let texts: Vec<&str> = COLUMNS.iter().filter_map(|(field, _)| cells.get(field)).map(String::as_str).collect();
    let country = if area.is_some() { named } else { country_of(named, cells, &texts, lead.foreign_file) };
    let hints = Hints { area: area.as_deref(), country };
    for (field, kind) in COLUMNS {
        let Some(text) = cells.remove(&field) else { continue };
        add_phones(lead, field, &text, (kind, "file"), hints);
    }
    country
}

/// The country of a row's numbers without country code. Of a row that names none it is not known where the address or another
/// number is of another country than those of +1, and nothing says that the row is of North America. `foreign_file`: the
/// numbers with country code of the file are mostly foreign.
pub fn country_of(named: Named, cells: &BTreeMap<Field, String>, numbers: &[&str], foreign_file: bool) -> Named {
    if named != Named::Nothing {
        return named;
    }
    let place = place::of(cells);
    if place == Location::Home {
        return Named::Nothing;
    }
    let written: Vec<&&str> = numbers.iter().filter(|text| text.contains('+')).collect();
    let with_code =
        written.into_iter().flat_map(|text| phone::read(text).numbers.into_iter().map(move |one| (text, one)));
    let with_code = with_code.filter(|(text, one)| says_code(text, &one.number));
    let (home, abroad): (Vec<_>, Vec<_>) = with_code.partition(|(_, one)| one.number.starts_with("+1"));
    match place {
        _ if !home.is_empty() => Named::Nothing,
        Location::Abroad(country) => country,
        Location::Home | Location::Unsaid if abroad.is_empty() && !foreign_file => Named::Nothing,
        Location::Home | Location::Unsaid => Named::Unknown,
    }
}

/// Whether the number is written with `+` and its country code.
fn says_code(text: &str, number: &str) -> bool {
    let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    digits.contains(number)
}

/// Adds the numbers of a text; keeps what is none, with its reason.
pub fn add_phones(lead: &mut Lead, field: Field, text: &str, (kind, source): (PhoneKind, &str), hints: Hints) {
    let phone::Cell { numbers, unread } = phone::read_with(text, hints);
    for one in numbers {
        let kind = if one.kind == PhoneKind::Unknown { kind } else { one.kind };
        lead.add_phone(Phone { extension: one.extension, ..Phone::new(one.number, kind, source) });
    }
    for Unread { text, reason } in unread {
        lead.keep_unread(field, &text, reason.as_str());
        lead.warn(Warning::InvalidPhone);
    }
}

pub(super) fn emails(lead: &mut Lead, cell: Option<&str>) {
    let Some(text) = cell else { return };
    let addresses = email::read(text);
    if addresses.invalid {
        lead.keep_unread(Field::Email, text, Warning::InvalidEmail.as_str());
        lead.warn(Warning::InvalidEmail);
    }
    addresses.valid.into_iter().for_each(|address| lead.add_email(address));
}

/// `(212)`, `212.0`, `1-212` → `212`
fn area_code(cell: &str) -> Option<String> {
    let plain = text::plain(cell);
    let cell = text::unwrapped(&plain);
    let cell = match text::numeric(cell, 1) {
        text::Numeric::Whole(digits) => digits,
        text::Numeric::No => cell,
        text::Numeric::Scientific | text::Numeric::Fraction => return None,
    };
    let fits = cell.chars().all(|c| c.is_ascii_digit() || " +()-".contains(c));
    let digits: String = cell.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix('1').filter(|rest| rest.len() == 3).unwrap_or(&digits);
    (fits && digits.len() == 3).then(|| digits.to_owned())
}
