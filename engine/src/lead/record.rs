//! The lead as it stands on one line of an artifact: camelCase JSON, absent when empty, the same type in every stage.

use std::collections::BTreeMap;

use luci_schema::{LeadId, SectorId};
use serde::{Deserialize, Serialize};

use super::{
    parts::{Address, Firm, Household, Phone, PhoneKind, Who},
    score::Scored,
};

/// One lead. IMPORT fills `lead_id`, `row`, `line`, `raw`, `extra`; VALIDATE turns `raw` into the fields; each later stage adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "super::flat::Flat")]
pub struct Lead {
    pub lead_id: LeadId,
    /// Row of the input, from 1; the header is not counted.
    pub row: u64,
    /// Line of the file on which the row begins, from 1; 0 when it came from no file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub line: u64,
    /// The recognised cells as they stood in the file, by field. Only between IMPORT and VALIDATE.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub raw: BTreeMap<super::Field, String>,
    /// What is wrong with the row itself. Only between IMPORT and VALIDATE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malformed: Option<super::csv_row::RowFault>,
    #[serde(flatten)]
    pub who: Who,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Phone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailing: Option<Address>,
    #[serde(flatten)]
    pub firm: Firm,
    #[serde(default, skip_serializing_if = "Household::is_empty")]
    pub household: Household,
    /// Names of people whom skip tracing relates to the person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relatives: Vec<String>,
    /// Cells of columns that no field is mapped to, by header.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
    /// Providers that knew the lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matched_by: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scored: Option<Scored>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<Placed>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// The sector that ASSIGN chose, by which rule, and how sure it is (0..=100).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// None: no sector fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_id: Option<SectorId>,
    pub rule: super::sector::Rule,
    pub confidence: u8,
}

/// Something a person should know, though the lead goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// Another input's lead holds one of its keys: the row was attached to that lead.
    DuplicateExisting,
    /// A number or address of the lead is on the suppression list.
    Suppressed,
    /// A phone cell was no US number, and the lead goes on without it.
    InvalidPhone,
    InvalidEmail,
    UnknownState,
}

impl Warning {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DuplicateExisting => "duplicate_existing",
            Self::Suppressed => "suppressed",
            Self::InvalidPhone => "invalid_phone",
            Self::InvalidEmail => "invalid_email",
            Self::UnknownState => "unknown_state",
        }
    }
}

impl Lead {
    /// A lead of which nothing is known but its place.
    pub fn bare(lead_id: LeadId, row: u64, line: u64) -> Self {
        Self {
            lead_id,
            row,
            line,
            raw: BTreeMap::new(),
            malformed: None,
            who: Who::default(),
            phones: Vec::new(),
            address: None,
            mailing: None,
            firm: Firm::default(),
            household: Household::default(),
            relatives: Vec::new(),
            extra: BTreeMap::new(),
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

    /// The state that sectors and zones go by.
    pub fn state(&self) -> Option<&str> {
        self.address.as_ref().or(self.mailing.as_ref())?.state.as_deref()
    }

    /// Adds a number, or what is newly known of one that is there.
    pub fn add_phone(&mut self, phone: Phone) {
        match self.phones.iter_mut().find(|known| known.number == phone.number) {
            Some(known) => {
                if known.kind == PhoneKind::Unknown {
                    known.kind = phone.kind;
                }
                known.dnc |= phone.dnc;
                known.connected = phone.connected.or(known.connected);
            }
            None => self.phones.push(phone),
        }
    }

    /// Adds an address; the first becomes the lead's own.
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
