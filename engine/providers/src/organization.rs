//! The query for a company.

use luci_schema::LeadId;
use serde::Serialize;

/// A company to look up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrganizationQuery {
    #[serde(skip)]
    pub lead_id: LeadId,
    /// `plumb.example`, in lower case. Its JSON name differs from a person's `domain`: answers are stored by a digest of the
    /// query's JSON.
    #[serde(rename = "company_domain")]
    pub domain: String,
}
