//! Apollo.io organisations: companies by their domains, up to ten domains per call.

use luci_leads::{enrich::found::FoundOrganization, normalise::email};
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
/// Nothing is billed without a match.
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
        // `organizations/enrich`, for one domain, is a GET; this call takes one domain as well.
        let domains: Vec<&str> = queries.iter().map(|query| query.domain.as_str()).collect();
        let body = json!({ "domains": domains });
        let answer = self.0.post("/api/v1/organizations/bulk_enrich", charge, &body).await?;
        let found = answer.get("organizations").and_then(Value::as_array).ok_or_else(bad_answer)?;
        Ok(queries.iter().map(|query| Ok(match_for(query, found, queries.len()))).collect())
    }
}

fn bad_answer() -> ProviderError {
    ProviderError::new(ProviderName::APOLLO, FailureCode::ApiError, Reason::BadAnswer)
}

/// By domain, not by position: unknown companies may be left out. What answers the only domain is its match also when the
/// company has moved to another one.
fn match_for(query: &OrganizationQuery, organizations: &[Value], asked: usize) -> Option<FoundOrganization> {
    let mut known = organizations.iter().filter(|found| found.as_object().is_some_and(|fields| !fields.is_empty()));
    let matching = known.clone().find(|found| has_domain(found, &query.domain));
    matching.or_else(|| if asked == 1 { known.next() } else { None }).map(organization)
}

/// Whether one of its domain fields names this domain: the primary domain may be the one that it redirects to.
fn has_domain(found: &Value, domain: &str) -> bool {
    let fields = ["primary_domain", "domain", "website_url"].into_iter().filter_map(|field| text(found, &[field]));
    fields.filter_map(|field| email::domain(&field)).any(|named| named == domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(domain: &str, found: &Value, asked: usize) -> Option<String> {
        let query = OrganizationQuery { lead_id: LeadId::generate(), domain: domain.to_owned() };
        match_for(&query, found.as_array().expect("a list"), asked).and_then(|found| found.name)
    }

    #[test]
    fn a_company_is_found_by_each_of_its_domains() {
        let found = json!([
            null, {},
            { "name": "A", "primary_domain": "a-group.test", "domain": "A.test" },
            { "name": "B", "primary_domain": "b.test", "website_url": "http://www.old-b.test/home" }
        ]);
        for (domain, name) in [("a.test", "A"), ("a-group.test", "A"), ("b.test", "B"), ("old-b.test", "B")] {
            assert_eq!(matched(domain, &found, 3).as_deref(), Some(name), "{domain}");
        }
        assert_eq!(matched("c.test", &found, 3), None);
    }

    #[test]
    fn the_answer_to_one_domain_is_its_match_under_any_domain() {
        let found = json!([{ "name": "A", "primary_domain": "moved.test" }]);
        assert_eq!(matched("a.test", &found, 1).as_deref(), Some("A"));
        assert_eq!(matched("a.test", &found, 2), None, "of two, it may be the other's");
        assert_eq!(matched("a.test", &json!([]), 1), None);
        assert_eq!(matched("a.test", &json!([null]), 1), None);
    }
}
