//! Which leads a provider can look up, and the query for each. Other leads pass the stage unchanged.

use crate::{
    Address, Lead,
    enrich::query::{PersonIdentifiers, PersonQuery, TraceQuery},
    normalise::postcode,
};

/// ENRICH: needs an e-mail address, a LinkedIn URL, or first and last name with company or domain.
pub fn person_query(lead: &Lead) -> Option<PersonQuery> {
    let (who, firm) = (&lead.who, &lead.firm);
    let named = who.first_name.is_some() && who.last_name.is_some();
    let employed = firm.company_name.is_some() || firm.domain.is_some();
    if who.email.is_none() && who.linkedin_url.is_none() && !(named && employed) {
        return None;
    }
    let identifiers = PersonIdentifiers {
        first_name: who.first_name.clone(),
        last_name: who.last_name.clone(),
        name: who.contact_name.clone().filter(|_| !named),
        email: who.email.clone(),
        organization_name: firm.company_name.clone(),
        domain: firm.domain.clone(),
        linkedin_url: who.linkedin_url.clone(),
    };
    Some(PersonQuery { lead_id: lead.lead_id, identifiers })
}

/// SKIP_TRACE: needs street, city and state, and a first or last name.
pub fn trace_query(lead: &Lead) -> Option<TraceQuery> {
    let who = &lead.who;
    if who.first_name.is_none() && who.last_name.is_none() {
        return None;
    }
    let address = [&lead.address, &lead.mailing].into_iter().flatten().find(|a| Address::traceable(a))?;
    Some(TraceQuery {
        lead_id: lead.lead_id,
        first_name: who.first_name.clone(),
        last_name: who.last_name.clone(),
        address: address.street.clone()?,
        city: address.city.clone()?,
        state: address.state.clone()?,
        zip: address.zip.clone().filter(|zip| postcode::is_us(zip)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lead::parts::Person, lead_id};

    fn lead(email: &str, first: &str, last: &str, company: &str) -> Lead {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        lead.who = Person { email: some(email), first_name: some(first), last_name: some(last), ..Person::default() };
        lead.firm.company_name = some(company);
        lead
    }

    #[test]
    fn which_leads_qualify() {
        assert!(person_query(&lead("a@b.co", "", "", "")).is_some());
        assert!(person_query(&lead("", "A", "B", "C")).is_some());
        assert!(person_query(&lead("", "A", "", "C")).is_none());
        assert!(person_query(&lead("", "A", "B", "")).is_none());

        let some = |text: &str| Some(text.to_owned());
        let mut traced = lead("", "", "B", "");
        assert!(trace_query(&traced).is_none());
        let address = Address { street: some("1 A St"), city: some("X"), state: some("NY"), ..Address::default() };
        traced.address = Some(Address { state: None, ..address.clone() });
        assert!(trace_query(&traced).is_none());
        traced.mailing = Some(address);
        assert!(trace_query(&traced).is_some());
        traced.who.last_name = None;
        assert!(trace_query(&traced).is_none());
    }
}
