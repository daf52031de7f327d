//! The parts of a lead: person, company, household, addresses and phone numbers.

use serde::{Deserialize, Serialize};

use crate::{Field, country::Country, lead::seniority::Seniority};

/// The person to contact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seniority: Option<Seniority>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Further e-mail addresses, from providers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_emails: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linkedin_url: Option<String>,
}

/// The company.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Company {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// Host of the website, without `www.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub industry: Option<String>,
    /// Four digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sic_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sic_description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naics_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naics_description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employees: Option<Range>,
    /// US dollars a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue: Option<Range>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year_established: Option<i32>,
}

/// The person's home, finances and consent, as consumer lists give them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Household {
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_value: Option<Range>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub income: Option<Range>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<Range>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_owner: Option<bool>,
    /// Years at the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_of_residence: Option<Range>,
    /// Properties owned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<u32>,
    /// US dollars over all properties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equity: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_in_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_in_source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
}

impl Household {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A range of numbers, both ends included; `low` equals `high` for one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    pub low: u64,
    pub high: u64,
}

impl Range {
    pub const fn exactly(value: u64) -> Self {
        Self { low: value, high: value }
    }

    /// The number that rules compute with.
    pub const fn midpoint(self) -> u64 {
        self.low + self.high.saturating_sub(self.low) / 2
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// Suite, unit or second line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street2: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Two letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Five digits; a foreign postcode as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zip: Option<String>,
    /// The four digits after the five.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zip4: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub county: Option<String>,
    /// As the row names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

impl Address {
    /// Whether it is complete enough for skip tracing.
    pub fn traceable(&self) -> bool {
        self.street.is_some() && self.city.is_some() && self.state.is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneKind {
    Mobile,
    Landline,
    Voip,
    TollFree,
    #[default]
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phone {
    /// E.164.
    pub number: String,
    #[serde(default)]
    pub kind: PhoneKind,
    /// `file`, `api` or the provider that found it.
    pub source: String,
    /// On a do-not-call list: never called, never messaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dnc: bool,
    /// `Some(false)`: a provider reports the line as disconnected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<bool>,
    /// Digits to dial after the call is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

impl Phone {
    /// A number of this source, with nothing else known.
    pub fn new(number: String, kind: PhoneKind, source: &str) -> Self {
        Self { number, kind, source: source.into(), dnc: false, connected: None, extension: None }
    }

    /// The country of the number.
    pub fn country(&self) -> Option<Country> {
        crate::country::country(&self.number)
    }

    /// Whether it may be called.
    pub fn usable(&self) -> bool {
        !self.dnc && self.connected != Some(false)
    }
}

/// A cell, or a part of it, that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadCell {
    pub field: Field,
    /// As it was written.
    pub text: String,
    /// `scientific`, `no_area_code` …
    pub reason: String,
}
