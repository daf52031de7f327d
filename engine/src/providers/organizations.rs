//! Apollo.io organisations: what is known of a company by its domain, ten domains a call.

use luci_schema::{FailureCode, LeadId, Stage};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Caller, Errand, ProviderName,
    apollo::organization,
    ask::{Api, Outcome},
    fields::text,
};
use crate::provider::{APOLLO_COMPANY, FoundOrganization, Price, ProviderError};

const BULK: usize = 10;

/// A company that is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrganizationQuery {
    #[serde(skip)]
    pub lead_id: LeadId,
    /// `plumb.example`, in lower case. Told apart from a person by its domain: answers are stored by what was asked.
    #[serde(rename = "company_domain")]
    pub domain: String,
}

pub struct Organizations(Caller);

impl Api for Organizations {
    const PROVIDER: ProviderName = ProviderName::Apollo;
    type Query = OrganizationQuery;
    type Match = FoundOrganization;
    const PRICE: Price = APOLLO_COMPANY;
    const STAGE: Stage = Stage::Enrich;

    fn new(caller: Caller) -> Self {
        Self(caller)
    }

    fn lead(query: &OrganizationQuery) -> LeadId {
        query.lead_id
    }

    fn batch(left: usize) -> usize {
        left.min(BULK)
    }

    async fn call(
        &self,
        errand: Errand<'_>,
        queries: &[&OrganizationQuery],
    ) -> Result<Vec<Outcome<FoundOrganization>>, ProviderError> {
        if let [query] = queries {
            let body = json!({ "domain": query.domain });
            let answer = self.0.post("/api/v1/organizations/enrich", errand, &body).await?;
            let found = answer.get("organization").ok_or_else(bad_answer)?;
            return Ok(vec![Ok(known(found))]);
        }
        let domains: Vec<&str> = queries.iter().map(|query| query.domain.as_str()).collect();
        let body = json!({ "domains": domains });
        let answer = self.0.post("/api/v1/organizations/bulk_enrich", errand, &body).await?;
        let found = answer.get("organizations").and_then(Value::as_array).ok_or_else(bad_answer)?;
        // By domain, never by position: unknown companies may be left out.
        let of = |query: &&OrganizationQuery| {
            found.iter().find(|found| domain(found).as_deref() == Some(query.domain.as_str())).and_then(known)
        };
        Ok(queries.iter().map(|query| Ok(of(query))).collect())
    }
}

fn bad_answer() -> ProviderError {
    ProviderError::new(ProviderName::Apollo, FailureCode::ApiError, "bad_answer")
}

fn domain(found: &Value) -> Option<String> {
    text(found, &["primary_domain", "domain"]).map(|domain| domain.to_lowercase())
}

fn known(found: &Value) -> Option<FoundOrganization> {
    found.as_object().filter(|fields| !fields.is_empty())?;
    Some(organization(found))
}
