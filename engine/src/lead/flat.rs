//! Reading a lead's line. The fields of person and company stand beside those of the lead, and serde's own way to read such a
//! line (`flatten`) keeps every field in a map first, which took a third of the time that leads cost the engine.

use std::collections::BTreeMap;

use luci_schema::LeadId;
use serde::Deserialize;

use super::{
    Field, Lead,
    csv_row::RowFault,
    parts::{Address, Firm, Household, Phone, Range, Who},
    record::{Placed, Warning},
    score::Scored,
    title::Seniority,
};

/// A line as it stands; what is absent is empty.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flat {
    lead_id: LeadId,
    row: u64,
    #[serde(default)]
    line: u64,
    #[serde(default)]
    raw: BTreeMap<Field, String>,
    #[serde(default)]
    malformed: Option<RowFault>,
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
    matched_by: Vec<String>,
    #[serde(default)]
    scored: Option<Scored>,
    #[serde(default)]
    sector: Option<Placed>,
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

impl From<Flat> for Lead {
    fn from(line: Flat) -> Self {
        let who = Who {
            contact_name: line.contact_name,
            first_name: line.first_name,
            last_name: line.last_name,
            title: line.title,
            seniority: line.seniority,
            email: line.email,
            more_emails: line.more_emails,
            linkedin_url: line.linkedin_url,
        };
        let firm = Firm {
            company_name: line.company_name,
            website: line.website,
            domain: line.domain,
            industry: line.industry,
            sic_code: line.sic_code,
            sic_description: line.sic_description,
            naics_code: line.naics_code,
            naics_description: line.naics_description,
            employees: line.employees,
            revenue: line.revenue,
            year_established: line.year_established,
        };
        Self {
            who,
            firm,
            lead_id: line.lead_id,
            row: line.row,
            line: line.line,
            raw: line.raw,
            malformed: line.malformed,
            phones: line.phones,
            address: line.address,
            mailing: line.mailing,
            household: line.household,
            relatives: line.relatives,
            extra: line.extra,
            matched_by: line.matched_by,
            scored: line.scored,
            sector: line.sector,
            warnings: line.warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let line = r#"{"leadId":"lead_01J9ZZZZZZZZZZZZZZZZZZZZZZ","row":7,"line":9,"raw":{"email":"A@B.C"},
            "contactName":"Ann Lee","firstName":"Ann","lastName":"Lee","title":"Owner","seniority":"owner",
            "email":"ann@lee.example","moreEmails":["a@lee.example"],"linkedinUrl":"https://l.example/ann",
            "phones":[{"number":"+12125550100","kind":"mobile","source":"file","dnc":true,"connected":false}],
            "address":{"street":"1 Main St","city":"Albany","state":"NY","zip":"12207"},"mailing":{"zip":"12208"},
            "companyName":"Lee & Co","website":"https://www.lee.example","domain":"lee.example","industry":"Plumbing",
            "sicCode":"1711","sicDescription":"Plumbing","naicsCode":"238220","naicsDescription":"Plumbers",
            "employees":{"low":5,"high":9},"revenue":{"low":1,"high":2},"yearEstablished":1999,
            "household":{"homeOwner":true},"relatives":["Bo Lee"],"extra":{"Shoe":"44"},"matchedBy":["apollo"],
            "sector":{"rule":"unassigned","confidence":0},"warnings":["suppressed"]}"#;
        let lead: Lead = serde_json::from_str(line).unwrap();
        let given: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_value(&lead).unwrap(), given);
        assert_eq!(serde_json::from_value::<Lead>(given).unwrap(), lead);
    }
}
