//! Apollo.io organisations: a company by its domain, ten domains a call.

use luci_leads::enrich::found::FoundOrganization;
use luci_schema::{FailureCode, LeadId, Stage};
use serde_json::{Value, json};

use crate::{
    apis::apollo::{NAME, organization},
    call::{Caller, Charge},
    error::ProviderError,
    fields::text,
    lookup_api::{LookupApi, LookupOutcome},
    name::ProviderName,
    organization::OrganizationQuery,
    price::Price,
    reason::Reason,
};

const BULK: usize = 10;
const COMPANY_PRICE: Price = Price { provider: NAME, unit: "company", micros: 50_000 };

pub struct Organizations(Caller);

impl LookupApi for Organizations {
    const PROVIDER: ProviderName = ProviderName::APOLLO;
    type Query = OrganizationQuery;
    type Match = FoundOrganization;
    const PRICE: Price = COMPANY_PRICE;
    const STAGE: Stage = Stage::Enrich;

    fn new(caller: Caller) -> Self {
        Self(caller)
    }

    fn lead(query: &OrganizationQuery) -> LeadId {
        query.lead_id
    }

    fn batch(remaining: usize) -> usize {
        remaining.min(BULK)
    }

    async fn call(
        &self,
        charge: Charge<'_>,
        queries: &[&OrganizationQuery],
    ) -> Result<Vec<LookupOutcome<FoundOrganization>>, ProviderError> {
        if let [query] = queries {
            let body = json!({ "domain": query.domain });
            let answer = self.0.post("/api/v1/organizations/enrich", charge, &body).await?;
            let found = answer.get("organization").ok_or_else(bad_answer)?;
            return Ok(vec![Ok(organization_match(found))]);
        }
        let domains: Vec<&str> = queries.iter().map(|query| query.domain.as_str()).collect();
        let body = json!({ "domains": domains });
        let answer = self.0.post("/api/v1/organizations/bulk_enrich", charge, &body).await?;
        let found = answer.get("organizations").and_then(Value::as_array).ok_or_else(bad_answer)?;
        // By domain, not by position: unknown companies may be left out.
        let of = |query: &&OrganizationQuery| {
            found
                .iter()
                .find(|found| domain(found).as_deref() == Some(query.domain.as_str()))
                .and_then(organization_match)
        };
        Ok(queries.iter().map(|query| Ok(of(query))).collect())
    }
}

fn bad_answer() -> ProviderError {
    ProviderError::new(ProviderName::APOLLO, FailureCode::ApiError, Reason::BadAnswer)
}

fn domain(found: &Value) -> Option<String> {
    text(found, &["primary_domain", "domain"]).map(|domain| domain.to_lowercase())
}

fn organization_match(found: &Value) -> Option<FoundOrganization> {
    found.as_object().filter(|fields| !fields.is_empty())?;
    Some(organization(found))
}
