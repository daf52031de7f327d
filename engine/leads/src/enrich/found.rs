//! The answers of providers about a person, a phone number or a company, in one shape for all providers.

use serde::{Deserialize, Serialize};

use crate::PhoneKind;

/// A phone number as the provider wrote it; the caller normalises it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundPhone {
    pub number: String,
    pub kind: PhoneKind,
    #[serde(default)]
    pub do_not_call: bool,
    /// `None`: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<bool>,
}

impl FoundPhone {
    /// Whether it may be called: neither on a do-not-call list nor disconnected.
    pub fn usable(&self) -> bool {
        !self.do_not_call && self.connected != Some(false)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FoundOrganization {
    pub name: Option<String>,
    pub website_url: Option<String>,
    pub domain: Option<String>,
    pub phone: Option<String>,
    pub founded_year: Option<u32>,
    pub employees: Option<u64>,
    /// US dollars a year.
    pub annual_revenue: Option<u64>,
    pub industry: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersonMatch {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub title: Option<String>,
    /// `owner`, `founder`, `c_suite`, `vp` …
    pub seniority: Option<String>,
    pub email: Option<String>,
    /// `verified` is the only reliable one.
    pub email_status: Option<String>,
    pub personal_emails: Vec<String>,
    pub phones: Vec<FoundPhone>,
    pub linkedin_url: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub organization: Option<FoundOrganization>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TraceMatch {
    /// All phone numbers, with those that are not `usable`.
    pub phones: Vec<FoundPhone>,
    pub emails: Vec<String>,
    pub addresses: Vec<String>,
    pub relatives: Vec<String>,
    pub age: Option<u32>,
}
