//! Apollo.io people match: ten people per call, answered in the order of the request.
//!
//! Phone numbers that Apollo reveals later by webhook are not requested.

pub mod organizations;

use luci_leads::enrich::{
    found::{FoundOrganization, FoundPhone, PersonMatch},
    query::{PersonIdentifiers, PersonQuery},
};
use luci_schema::{FailureCode, LeadId, Stage};
use serde::Serialize;
use serde_json::Value;

use crate::{
    call::{Caller, Charge},
    descriptor::{Descriptor, env_names},
    error::ProviderError,
    fields::{list, number, phone_kind, text, texts},
    lookup_api::{LookupApi, LookupOutcome},
    name::ProviderName,
    price::Price,
    provider::{Capabilities, Lookup, Provider},
    reason::Reason,
};

const NAME: &str = "apollo";
/// Nothing is billed without a match.
const PERSON_PRICE: Price = Price { provider: NAME, unit: "person_match", micros: 100_000 };

static DESCRIPTOR: Descriptor =
    Descriptor { probe: "/v1/auth/health", ..Descriptor::new(NAME, env_names!("APOLLO"), "https://api.apollo.io") };

impl ProviderName {
    pub const APOLLO: Self = Self::new(&DESCRIPTOR);
}

pub static PROVIDER: Provider = Provider {
    name: ProviderName::APOLLO,
    capabilities: Capabilities {
        person_match: Some(Lookup::of::<Apollo>()),
        organizations: Some(Lookup::of::<organizations::Organizations>()),
        ..Capabilities::NONE
    },
};

/// The provider's own limit of `bulk_match`.
const BULK: usize = 10;

pub struct Apollo(Caller);

#[derive(Serialize)]
struct Bulk<'a> {
    details: Vec<&'a PersonIdentifiers>,
}

impl Apollo {
    fn bad_answer(&self) -> ProviderError {
        self.0.error(FailureCode::ApiError, Reason::BadAnswer)
    }
}

impl LookupApi for Apollo {
    type Query = PersonQuery;
    type Match = PersonMatch;
    const PRICE: Price = PERSON_PRICE;
    const STAGE: Stage = Stage::Enrich;

    const PROVIDER: ProviderName = ProviderName::APOLLO;

    fn new(caller: Caller) -> Self {
        Self(caller)
    }

    fn lead(query: &PersonQuery) -> LeadId {
        query.lead_id
    }

    fn batch(remaining: usize) -> usize {
        remaining.min(BULK)
    }

    async fn call(
        &self,
        charge: Charge<'_>,
        queries: &[&PersonQuery],
    ) -> Result<Vec<LookupOutcome<PersonMatch>>, ProviderError> {
        if let [query] = queries {
            let answer = self.0.post("/api/v1/people/match", charge, &query.identifiers).await?;
            let person = answer.get("person").ok_or_else(|| self.bad_answer())?;
            return Ok(vec![Ok(person_match(person))]);
        }
        let bulk = Bulk { details: queries.iter().map(|query| &query.identifiers).collect() };
        let answer = self.0.post("/api/v1/people/bulk_match", charge, &bulk).await?;
        match answer.get("matches").and_then(Value::as_array) {
            // With another number, it is unclear whose match is whose.
            Some(matches) if matches.len() == queries.len() => {
                Ok(matches.iter().map(|person| Ok(person_match(person))).collect())
            }
            Some(_) | None => Err(self.bad_answer()),
        }
    }
}

fn person_match(person: &Value) -> Option<PersonMatch> {
    person.as_object().filter(|fields| !fields.is_empty())?;
    Some(PersonMatch {
        first_name: text(person, &["first_name"]),
        last_name: text(person, &["last_name"]),
        title: text(person, &["title"]),
        seniority: text(person, &["seniority"]),
        email: text(person, &["email"]).filter(|email| email.contains('@')),
        email_status: text(person, &["email_status"]),
        personal_emails: texts(list(person, &["personal_emails"]), &["email"]),
        phones: list(person, &["phone_numbers"]).iter().filter_map(phone).collect(),
        linkedin_url: text(person, &["linkedin_url"]),
        city: text(person, &["city"]),
        state: text(person, &["state"]),
        organization: person.get("organization").filter(|o| o.is_object()).map(organization),
    })
}

fn phone(phone: &Value) -> Option<FoundPhone> {
    let status = text(phone, &["status", "status_cd"]).unwrap_or_default();
    Some(FoundPhone {
        number: text(phone, &["sanitized_number", "raw_number"])?,
        kind: phone_kind(text(phone, &["type", "type_cd"]).as_deref()),
        do_not_call: text(phone, &["dnc_status", "dnc_status_cd"]).is_some_and(|dnc| dnc.contains("dnc")),
        connected: if status.contains("invalid") { Some(false) } else { None },
    })
}

fn organization(organization: &Value) -> FoundOrganization {
    FoundOrganization {
        name: text(organization, &["name"]),
        website_url: text(organization, &["website_url"]),
        domain: text(organization, &["primary_domain"]),
        phone: text(organization, &["phone"]),
        founded_year: number(organization, "founded_year").and_then(|year| u32::try_from(year).ok()),
        employees: number(organization, "estimated_num_employees"),
        annual_revenue: number(organization, "annual_revenue"),
        industry: text(organization, &["industry"]),
        city: text(organization, &["city"]),
        state: text(organization, &["state"]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use luci_leads::PhoneKind;

    #[test]
    fn a_documented_person_is_read() {
        let person = json!({
            "id": "p1", "first_name": "Ana", "last_name": "Diaz", "title": "Owner", "seniority": "owner",
            "departments": [], "email": "ana@plumb.test", "email_status": "verified",
            "personal_emails": ["a@mail.test"], "linkedin_url": null, "city": "Albany", "state": "New York",
            "phone_numbers": [
                { "raw_number": "(518) 555-0101", "sanitized_number": "+15185550101", "type": "mobile", "status": "valid_number" },
                { "raw_number": "518 555 0102", "type": "work_hq", "status": "invalid_number" },
                { "type": "other" }
            ],
            "organization": { "id": "o1", "name": "Plumb Inc", "founded_year": 1998, "estimated_num_employees": "12",
                              "annual_revenue": 1_500_000.0, "keywords": [] }
        });
        let found = person_match(&person).unwrap();
        assert_eq!(found.seniority.as_deref(), Some("owner"));
        assert_eq!(found.phones.len(), 2);
        assert_eq!((found.phones[0].kind, found.phones[0].usable()), (PhoneKind::Mobile, true));
        assert_eq!((found.phones[1].number.as_str(), found.phones[1].usable()), ("518 555 0102", false));
        let organization = found.organization.unwrap();
        assert_eq!((organization.founded_year, organization.employees), (Some(1998), Some(12)));
        assert_eq!(organization.annual_revenue, Some(1_500_000));
    }

    #[test]
    fn no_match_is_null_or_empty_and_wrong_types_are_absent() {
        assert_eq!(person_match(&Value::Null), None);
        assert_eq!(person_match(&json!({})), None);
        let odd = json!({ "title": 7, "email": "locked", "phone_numbers": "none", "organization": [], "city": {} });
        assert_eq!(person_match(&odd), Some(PersonMatch { title: Some("7".into()), ..Default::default() }));
    }

    #[test]
    fn batches_are_of_ten() {
        assert_eq!((Apollo::batch(250), Apollo::batch(3)), (10, 3));
    }
}
