//! The phone numbers and e-mail addresses of a row: all that its cells hold, and what could not be read.

use crate::{
    Field, Lead, Phone, PhoneKind,
    lead::Warning,
    normalise::{
        email,
        phone::{self, Country, Hints, Unread},
        text,
    },
    validate::row::RawCells,
};

/// In order of preference: mobile first.
const COLUMNS: [(Field, PhoneKind); 3] = [
    (Field::MobilePhone, PhoneKind::Mobile),
    (Field::DirectPhone, PhoneKind::Unknown),
    (Field::Phone, PhoneKind::Unknown),
];

pub(super) fn phones(lead: &mut Lead, cells: &mut RawCells, country: Option<Country>) {
    let area = cells.remove(&Field::AreaCode);
    let area = area.as_deref().and_then(area_code);
    let hints = Hints { area: area.as_deref(), country };
    for (field, kind) in COLUMNS {
        let Some(text) = cells.remove(&field) else { continue };
        add_phones(lead, field, &text, (kind, "file"), hints);
    }
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
