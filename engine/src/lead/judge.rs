//! Whether a tidy row is a lead, and if not, why, in words that reports count by.

use serde::{Deserialize, Serialize};

use super::{Address, Field, Lead, record::Warning};

/// Why a row is no lead, by the word that reports count it under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    MissingIdentity,
    MissingContactPath,
    DuplicateInFile,
    MalformedRow,
    /// The run leaves out what another input's lead holds (`onExisting: skip`).
    DuplicateExisting,
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingIdentity => "missing_identity",
            Self::MissingContactPath => "missing_contact_path",
            Self::DuplicateInFile => "duplicate_in_file",
            Self::MalformedRow => "malformed_row",
            Self::DuplicateExisting => "duplicate_existing",
        }
    }
}

/// The refusal of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub reason: Reason,
    /// The field that would mend it, if one would.
    pub field: Option<&'static str>,
    /// What was expected there.
    pub expected: String,
    /// The row of the same input that holds one of its keys.
    pub duplicate_of: Option<u64>,
}

impl Rejection {
    pub(super) fn new(reason: Reason, field: Option<&'static str>, expected: impl Into<String>) -> Self {
        Self { reason, field, expected: expected.into(), duplicate_of: None }
    }

    /// `first` is the row that has the key already.
    pub fn duplicate(first: u64) -> Self {
        let duplicate = Self::new(Reason::DuplicateInFile, None, format!("no key of row {first}"));
        Self { duplicate_of: Some(first), ..duplicate }
    }

    pub fn existing() -> Self {
        Self::new(Reason::DuplicateExisting, None, "no key of a lead of another input")
    }
}

pub(super) fn has_identity(lead: &Lead) -> bool {
    let who = &lead.who;
    lead.firm.company_name.is_some()
        || who.contact_name.is_some()
        || (who.first_name.is_some() && who.last_name.is_some())
}

/// An identity, and a way to reach or trace it (`domain.md` 3.2).
pub(super) fn judge(lead: &Lead) -> Option<Rejection> {
    if !has_identity(lead) {
        let expected = "a company name, a contact name, or a first and a last name";
        return Some(Rejection::new(Reason::MissingIdentity, Some(Field::CompanyName.as_str()), expected));
    }
    let reachable = !lead.phones.is_empty() || lead.who.email.is_some();
    let traceable = [&lead.address, &lead.mailing].into_iter().flatten().any(Address::traceable);
    if reachable || traceable {
        return None;
    }
    let (field, expected) = match (lead.warnings.contains(&Warning::InvalidPhone), &lead.warnings[..]) {
        (true, _) => (Field::Phone, "a US number of ten digits"),
        (_, warnings) if warnings.contains(&Warning::InvalidEmail) => (Field::Email, "an address like ann@acme.com"),
        (_, warnings) if warnings.contains(&Warning::UnknownState) => (Field::State, "a US state or territory"),
        _ => (Field::Phone, "a phone, an e-mail address, or street, city and state"),
    };
    Some(Rejection::new(Reason::MissingContactPath, Some(field.as_str()), expected))
}
