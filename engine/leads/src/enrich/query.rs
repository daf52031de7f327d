//! The query to a provider about a lead: its identifying fields and nothing else.

use luci_schema::LeadId;
use serde::Serialize;

/// A person to look up (ENRICH). Apollo needs an e-mail address, a LinkedIn URL, or first and last name with company or domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonQuery {
    #[serde(skip)]
    pub lead_id: LeadId,
    #[serde(flatten)]
    pub identifiers: PersonIdentifiers,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PersonIdentifiers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linkedin_url: Option<String>,
}

/// A person to trace (SKIP_TRACE): street, city and state, and a first or last name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceQuery {
    #[serde(skip)]
    pub lead_id: LeadId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    pub address: String,
    pub city: String,
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip: Option<String>,
}
