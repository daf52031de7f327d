//! A lead: one line of an artifact as camelCase JSON, empty fields left out. Every stage reads and writes this type.

pub mod assignment;
pub mod field;
mod flat;
pub mod identity;
pub mod line;
pub mod parts;
pub mod rejection;
pub mod scored;
pub mod seniority;
pub mod status;

use std::collections::BTreeMap;

use luci_schema::LeadId;
use serde::{Deserialize, Serialize};

use crate::lead::{
    assignment::SectorAssignment,
    field::Field,
    parts::{Address, Company, Household, Person, Phone, PhoneKind, UnreadCell},
    rejection::RowFault,
    scored::Scored,
};

/// One lead. IMPORT fills `lead_id`, `row`, `line`, `raw` and `extra`; VALIDATE turns `raw` into fields; each later stage adds
/// its results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "flat::FlatLead")]
pub struct Lead {
    pub lead_id: LeadId,
    /// Row of the input, from 1, without the header.
    pub row: u64,
    /// Line of the file on which the row begins, from 1; 0 when the lead does not come from a file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub line: u64,
    /// The cells of mapped columns, not normalised, by field. Only between IMPORT and VALIDATE.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub raw: BTreeMap<Field, String>,
    /// Why the row is malformed. Only between IMPORT and VALIDATE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malformed: Option<RowFault>,
    /// The numbers of its file with a country code are mostly of other countries. Only between IMPORT and VALIDATE.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign_file: bool,
    #[serde(flatten)]
    pub who: Person,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Phone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailing: Option<Address>,
    #[serde(flatten)]
    pub firm: Company,
    #[serde(default, skip_serializing_if = "Household::is_empty")]
    pub household: Household,
    /// Names of relatives, from skip tracing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relatives: Vec<String>,
    /// Cells of columns that are mapped to no field, by header.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
    /// Cells that could not be read, as they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadCell>,
    /// Providers that found the lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matched_by: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scored: Option<Scored>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<SectorAssignment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// A problem of a lead that does not reject it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// One of its keys belongs to a lead of another input; the row was attached to that lead.
    DuplicateExisting,
    /// One of its phone numbers or its e-mail address is on the suppression list.
    Suppressed,
    /// A phone cell, or a part of it, is not a number; it is in `unread`.
    InvalidPhone,
    InvalidEmail,
    InvalidZip,
    UnknownState,
    /// The row has fewer cells than the header; the missing ones are empty.
    ShortRow,
}

impl Warning {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DuplicateExisting => "duplicate_existing",
            Self::Suppressed => "suppressed",
            Self::InvalidPhone => "invalid_phone",
            Self::InvalidEmail => "invalid_email",
            Self::InvalidZip => "invalid_zip",
            Self::UnknownState => "unknown_state",
            Self::ShortRow => "short_row",
        }
    }
}

impl Lead {
    /// A lead without data.
    pub fn bare(lead_id: LeadId, row: u64, line: u64) -> Self {
        Self {
            lead_id,
            row,
            line,
            raw: BTreeMap::new(),
            malformed: None,
            foreign_file: false,
            who: Person::default(),
            phones: Vec::new(),
            address: None,
            mailing: None,
            firm: Company::default(),
            household: Household::default(),
            relatives: Vec::new(),
            extra: BTreeMap::new(),
            unread: Vec::new(),
            matched_by: Vec::new(),
            scored: None,
            sector: None,
            warnings: Vec::new(),
        }
    }

    pub fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The two-letter state that selects sector and time zone: of the address, else of the mailing address.
    pub fn state(&self) -> Option<&str> {
        self.address.as_ref().or(self.mailing.as_ref())?.state.as_deref()
    }

    /// Adds a phone number, or merges what is new into the one that is there.
    pub fn add_phone(&mut self, phone: Phone) {
        match self.phones.iter_mut().find(|own| own.number == phone.number) {
            Some(own) => {
                if own.kind == PhoneKind::Unknown {
                    own.kind = phone.kind;
                }
                own.dnc |= phone.dnc;
                own.connected = phone.connected.or(own.connected);
                own.extension = own.extension.take().or(phone.extension);
            }
            None => self.phones.push(phone),
        }
    }

    /// Keeps a text that could not be read.
    pub fn keep_unread(&mut self, field: Field, text: &str, reason: &str) {
        let cell = UnreadCell { field, text: text.to_owned(), reason: reason.to_owned() };
        if !self.unread.contains(&cell) {
            self.unread.push(cell);
        }
    }

    /// Adds an e-mail address: the first one becomes `email`, further ones go to `more_emails`.
    pub fn add_email(&mut self, email: String) {
        match &self.who.email {
            None => self.who.email = Some(email),
            Some(own) if *own == email || self.who.more_emails.contains(&email) => {}
            Some(_) => self.who.more_emails.push(email),
        }
    }
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
