//! Deserialises a lead. Person and company are flattened into the lead's JSON object; serde's `flatten` collects all fields
//! in a map first, which took a third of the engine's time for leads, so this struct lists them all.

use std::collections::BTreeMap;

use luci_schema::LeadId;
use serde::Deserialize;

use crate::{
    Field, Lead,
    lead::{
        Warning,
        assignment::SectorAssignment,
        parts::{Address, Company, Household, Person, Phone, Range, UnreadCell},
        rejection::RowFault,
        scored::Scored,
        seniority::Seniority,
    },
};

/// The JSON object of a lead; absent fields are empty.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlatLead {
    lead_id: LeadId,
    row: u64,
    #[serde(default)]
    line: u64,
    #[serde(default)]
    raw: BTreeMap<Field, String>,
    #[serde(default)]
    malformed: Option<RowFault>,
    #[serde(default)]
    foreign_file: bool,
    #[serde(default)]
    phones: Vec<Phone>,
    #[serde(default)]
    address: Option<Address>,
    #[serde(default)]
    mailing: Option<Address>,
    #[serde(default)]
    household: Household,
    #[serde(default)]
    relatives: Vec<String>,
    #[serde(default)]
    extra: BTreeMap<String, String>,
    #[serde(default)]
    unread: Vec<UnreadCell>,
    #[serde(default)]
    matched_by: Vec<String>,
    #[serde(default)]
    scored: Option<Scored>,
    #[serde(default)]
    sector: Option<SectorAssignment>,
    #[serde(default)]
    warnings: Vec<Warning>,
    #[serde(default)]
    contact_name: Option<String>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    seniority: Option<Seniority>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    more_emails: Vec<String>,
    #[serde(default)]
    linkedin_url: Option<String>,
    #[serde(default)]
    company_name: Option<String>,
    #[serde(default)]
    website: Option<String>,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    industry: Option<String>,
    #[serde(default)]
    sic_code: Option<String>,
    #[serde(default)]
    sic_description: Option<String>,
    #[serde(default)]
    naics_code: Option<String>,
    #[serde(default)]
    naics_description: Option<String>,
    #[serde(default)]
    employees: Option<Range>,
    #[serde(default)]
    revenue: Option<Range>,
    #[serde(default)]
    year_established: Option<i32>,
}

impl From<FlatLead> for Lead {
    fn from(flat: FlatLead) -> Self {
        let who = Person {
            contact_name: flat.contact_name,
            first_name: flat.first_name,
            last_name: flat.last_name,
            title: flat.title,
            seniority: flat.seniority,
            email: flat.email,
            more_emails: flat.more_emails,
            linkedin_url: flat.linkedin_url,
        };
        let firm = Company {
            company_name: flat.company_name,
            website: flat.website,
            domain: flat.domain,
            industry: flat.industry,
            sic_code: flat.sic_code,
            sic_description: flat.sic_description,
            naics_code: flat.naics_code,
            naics_description: flat.naics_description,
            employees: flat.employees,
            revenue: flat.revenue,
            year_established: flat.year_established,
        };
        Self {
            who,
            firm,
            lead_id: flat.lead_id,
            row: flat.row,
            line: flat.line,
            raw: flat.raw,
            malformed: flat.malformed,
            foreign_file: flat.foreign_file,
            phones: flat.phones,
            address: flat.address,
            mailing: flat.mailing,
            household: flat.household,
            relatives: flat.relatives,
            extra: flat.extra,
            unread: flat.unread,
            matched_by: flat.matched_by,
            scored: flat.scored,
            sector: flat.sector,
            warnings: flat.warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_with_every_field_survives_a_round_trip() {
        let line = r#"{"leadId":"lead_01J9ZZZZZZZZZZZZZZZZZZZZZZ","row":7,"line":9,"raw":{"email":"A@B.C"},
            "contactName":"Ann Lee","firstName":"Ann","lastName":"Lee","title":"Owner","seniority":"owner",
            "email":"ann@lee.example","moreEmails":["a@lee.example"],"linkedinUrl":"https://l.example/ann",
            "phones":[{"number":"+12125550100","kind":"mobile","source":"file","dnc":true,"connected":false,"extension":"12"}],
            "address":{"street":"1 Main St","city":"Albany","state":"NY","zip":"12207","country":"US"},"mailing":{"zip":"12208"},
            "companyName":"Lee & Co","website":"https://www.lee.example","domain":"lee.example","industry":"Plumbing",
            "sicCode":"1711","sicDescription":"Plumbing","naicsCode":"238220","naicsDescription":"Plumbers",
            "employees":{"low":5,"high":9},"revenue":{"low":1,"high":2},"yearEstablished":1999,
            "household":{"homeOwner":true},"relatives":["Bo Lee"],"extra":{"Shoe":"44"},
            "unread":[{"field":"phone","text":"3.1E9","reason":"scientific"}],"matchedBy":["apollo"],
            "sector":{"rule":"unassigned","confidence":0},"warnings":["suppressed"]}"#;
        let lead: Lead = serde_json::from_str(line).unwrap();
        let expected: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_value(&lead).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Lead>(expected).unwrap(), lead);
    }
}
