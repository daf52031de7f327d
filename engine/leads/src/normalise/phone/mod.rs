//! Phone numbers: a cell is read by a grammar into E.164 numbers, extensions, and what could not be read with its reason.
//! No digits are ever filtered out of other text, and a number keeps its country.

mod cell;
mod label;
mod number;
mod parts;
mod pieces;

pub use self::{
    cell::{Cell, Unread, read, read_with},
    number::Hints,
};
use crate::PhoneKind;
pub use crate::country::{Country, Named, UnknownCountry, country};

/// A number as it was written in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// E.164.
    pub number: String,
    /// Digits to dial after the call is answered.
    pub extension: Option<String>,
    /// What its label says; `Unknown` without one.
    pub kind: PhoneKind,
}

/// Why a text is not a number. Nothing is guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    NoDigits,
    /// `3.1E9`: a spreadsheet may have dropped digits.
    Scientific,
    /// `2125550147.5`
    Fraction,
    /// Seven digits, and no column with the area code.
    NoAreaCode,
    TooShort,
    TooLong,
    /// The area code or the exchange begins with 0 or 1, or all digits are equal.
    NotDialable,
    /// No country has the calling code.
    NoSuchCountry,
    /// Digits grouped as in no North American number, or a plus sign within.
    Unclear,
    /// Labelled as a fax number or pager.
    Fax,
    /// The cell says not to call or text it.
    DoNotContact,
    /// The cell says that it is disconnected, or somebody else's.
    NotInService,
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoDigits => "no_digits",
            Self::Scientific => "scientific",
            Self::Fraction => "fraction",
            Self::NoAreaCode => "no_area_code",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::NotDialable => "not_dialable",
            Self::NoSuchCountry => "no_such_country",
            Self::Unclear => "unclear",
            Self::Fax => "fax",
            Self::DoNotContact => "do_not_contact",
            Self::NotInService => "not_in_service",
        }
    }

    /// The reason that `as_str` names.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::NoDigits,
            Self::Scientific,
            Self::Fraction,
            Self::NoAreaCode,
            Self::TooShort,
            Self::TooLong,
            Self::NotDialable,
            Self::NoSuchCountry,
            Self::Unclear,
            Self::Fax,
            Self::DoNotContact,
            Self::NotInService,
        ];
        all.into_iter().find(|reason| reason.as_str() == name)
    }

    /// What was expected instead, for the report.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::NoDigits => "a phone number",
            Self::Scientific => "all digits, as text: scientific notation (3.1E9) may have lost some",
            Self::Fraction => "a phone number, not a decimal number",
            Self::NoAreaCode => "a number with its area code",
            Self::TooShort => "more digits: ten, or + and a country code",
            Self::TooLong => "fewer digits: ten, or + and a country code",
            Self::NotDialable => "an area code and exchange that begin with 2 to 9",
            Self::NoSuchCountry => "a country code that exists",
            Self::Unclear => "digits grouped as 212-555-0147, or + and a country code",
            Self::Fax => "a phone, not a fax number or pager",
            Self::DoNotContact => "a number that may be called: the cell says not to",
            Self::NotInService => "a number in service: the cell says that it is not",
        }
    }
}

/// The one number of a text in E.164: `(212) 555-0147 x12` → `+12125550147`. `None` for none, several, or one that is unclear.
pub fn normalise(text: &str) -> Option<String> {
    let cell = cell::read_cell(text, Hints::default(), cell::Remarks::Ignored);
    match (&cell.numbers[..], &cell.unread[..]) {
        ([one], []) => Some(one.number.clone()),
        _ => None,
    }
}

/// Whether the area code is a toll-free one of North America.
pub fn toll_free(e164: &str) -> bool {
    e164.starts_with("+1") && matches!(e164.get(2..5), Some("800" | "833" | "844" | "855" | "866" | "877" | "888"))
}

#[cfg(test)]
mod tests;
