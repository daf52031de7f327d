//! Merges the data of a provider or another row into a lead: fills empty fields, overwrites nothing.

use crate::{
    Address, Lead, Phone, PhoneKind, Range,
    enrich::found::{FoundOrganization, FoundPhone, PersonMatch, TraceMatch},
    lead::parts::Company,
    normalise::{
        address, amount, email,
        phone::{self, Hints, Named},
        title,
    },
};

/// Merges the answer of Apollo.
pub fn person(lead: &mut Lead, found: &PersonMatch) {
    let who = &mut lead.who;
    fill(&mut who.first_name, &found.first_name);
    fill(&mut who.last_name, &found.last_name);
    if let (None, Some(first), Some(last)) = (&who.contact_name, &who.first_name, &who.last_name) {
        who.contact_name = Some(format!("{first} {last}"));
    }
    fill(&mut who.title, &found.title);
    if who.seniority.is_none() {
        let rank = found.seniority.as_deref().and_then(title::from_provider);
        who.seniority = rank.or_else(|| who.title.as_deref().and_then(title::seniority));
    }
    fill(&mut who.linkedin_url, &found.linkedin_url);
    let emails = found.email.iter().chain(&found.personal_emails);
    emails.flat_map(|text| email::read(text).valid).for_each(|address| lead.add_email(address));
    add_phones(lead, &found.phones, "apollo");
    if let Some(organization) = &found.organization {
        fill_company(&mut lead.firm, organization);
        if let Some(number) = &organization.phone {
            add_numbers(lead, number, PhoneKind::Landline, "apollo", (false, None));
        }
    }
    fill_address(lead, found);
    add_matched_by(lead, "apollo");
}

/// Merges the answer of a skip-tracing provider. Numbers that are disconnected or on a do-not-call list are kept and
/// flagged, so that another source does not add them again without the flag.
pub fn trace(lead: &mut Lead, provider: &str, found: &TraceMatch) {
    add_phones(lead, &found.phones, provider);
    found.emails.iter().flat_map(|text| email::read(text).valid).for_each(|address| lead.add_email(address));
    for name in &found.relatives {
        if !lead.relatives.contains(name) {
            lead.relatives.push(name.clone());
        }
    }
    if lead.household.age.is_none() {
        lead.household.age = found.age.map(|age| Range::exactly(age.into()));
    }
    add_matched_by(lead, provider);
}

/// Fills the empty fields of a lead from a row of the same lead.
pub fn fill_blanks(lead: &mut Lead, row: &Lead) {
    let (who, new) = (&mut lead.who, &row.who);
    fill(&mut who.contact_name, &new.contact_name);
    fill(&mut who.first_name, &new.first_name);
    fill(&mut who.last_name, &new.last_name);
    fill(&mut who.title, &new.title);
    fill(&mut who.seniority, &new.seniority);
    fill(&mut who.linkedin_url, &new.linkedin_url);
    new.email.iter().chain(&new.more_emails).for_each(|address| lead.add_email(address.clone()));
    row.phones.iter().for_each(|phone| lead.add_phone(phone.clone()));
    fill_address_blanks(&mut lead.address, &row.address);
    fill_address_blanks(&mut lead.mailing, &row.mailing);
    fill_company_blanks(&mut lead.firm, &row.firm);
    fill_household_blanks(lead, row);
    for cell in row.unread.iter().filter(|cell| !lead.unread.contains(cell)).cloned().collect::<Vec<_>>() {
        lead.unread.push(cell);
    }
    for (header, cell) in &row.extra {
        lead.extra.entry(header.clone()).or_insert_with(|| cell.clone());
    }
    row.matched_by.iter().for_each(|provider| add_matched_by(lead, provider));
}

fn fill_address_blanks(own: &mut Option<Address>, row: &Option<Address>) {
    match (own, row) {
        (Some(own), Some(row)) => {
            fill(&mut own.street, &row.street);
            fill(&mut own.street2, &row.street2);
            fill(&mut own.city, &row.city);
            fill(&mut own.state, &row.state);
            fill(&mut own.zip, &row.zip);
            fill(&mut own.zip4, &row.zip4);
            fill(&mut own.county, &row.county);
            fill(&mut own.country, &row.country);
        }
        (own, row) => fill(own, row),
    }
}

fn fill_company_blanks(firm: &mut Company, row: &Company) {
    fill(&mut firm.company_name, &row.company_name);
    fill(&mut firm.website, &row.website);
    fill(&mut firm.domain, &row.domain);
    fill(&mut firm.industry, &row.industry);
    fill(&mut firm.sic_code, &row.sic_code);
    fill(&mut firm.sic_description, &row.sic_description);
    fill(&mut firm.naics_code, &row.naics_code);
    fill(&mut firm.naics_description, &row.naics_description);
    fill(&mut firm.employees, &row.employees);
    fill(&mut firm.revenue, &row.revenue);
    fill(&mut firm.year_established, &row.year_established);
}

fn fill_household_blanks(lead: &mut Lead, row: &Lead) {
    let (home, new) = (&mut lead.household, &row.household);
    fill(&mut home.home_value, &new.home_value);
    fill(&mut home.income, &new.income);
    fill(&mut home.age, &new.age);
    fill(&mut home.home_owner, &new.home_owner);
    fill(&mut home.length_of_residence, &new.length_of_residence);
    fill(&mut home.properties, &new.properties);
    fill(&mut home.equity, &new.equity);
    fill(&mut home.opt_in_date, &new.opt_in_date);
    fill(&mut home.opt_in_source, &new.opt_in_source);
    fill(&mut home.ip_address, &new.ip_address);
}

fn fill_company(firm: &mut Company, found: &FoundOrganization) {
    fill(&mut firm.company_name, &found.name);
    fill(&mut firm.website, &found.website_url);
    fill(&mut firm.domain, &found.domain);
    fill(&mut firm.industry, &found.industry);
    fill(&mut firm.employees, &found.employees.map(Range::exactly));
    fill(&mut firm.revenue, &found.annual_revenue.map(Range::exactly));
    let year = found.founded_year.and_then(|year| amount::year(&year.to_string()));
    fill(&mut firm.year_established, &year);
}

/// City and state are taken only when the lead has no address: parts of two addresses are never mixed.
fn fill_address(lead: &mut Lead, found: &PersonMatch) {
    let state = found.state.as_deref().and_then(address::state).map(str::to_owned);
    if lead.address.is_none() && (found.city.is_some() || state.is_some()) {
        lead.address = Some(Address { city: found.city.clone(), state, ..Address::default() });
    }
}

fn add_phones(lead: &mut Lead, found: &[FoundPhone], source: &str) {
    for new in found {
        add_numbers(lead, &new.number, new.kind, source, (new.do_not_call, new.connected));
    }
}

/// Adds the numbers that a provider wrote in one text.
fn add_numbers(lead: &mut Lead, text: &str, kind: PhoneKind, source: &str, (dnc, connected): (bool, Option<bool>)) {
    // A number without country code of somebody abroad is one of there, or was found at home by mistake.
    let country = if is_abroad(lead) { Named::Unknown } else { Named::Nothing };
    for one in phone::read_with(text, Hints { country, area: None }).numbers {
        let kind = match one.kind {
            PhoneKind::TollFree => PhoneKind::TollFree,
            label if kind == PhoneKind::Unknown => label,
            _ => kind,
        };
        lead.add_phone(Phone { dnc, connected, extension: one.extension, ..Phone::new(one.number, kind, source) });
    }
}

/// Whether the lead is in a country with other numbers than North America: by its address, or by all numbers that it has.
fn is_abroad(lead: &Lead) -> bool {
    let named = [&lead.address, &lead.mailing].into_iter().flatten().find_map(|address| address.country);
    match named {
        Some(country) => !country.north_american(),
        None => !lead.phones.is_empty() && lead.phones.iter().all(|phone| !phone.number.starts_with("+1")),
    }
}

fn add_matched_by(lead: &mut Lead, provider: &str) {
    if !lead.matched_by.iter().any(|name| name == provider) {
        lead.matched_by.push(provider.to_owned());
    }
}

fn fill<T: Clone>(slot: &mut Option<T>, found: &Option<T>) {
    if slot.is_none() {
        slot.clone_from(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lead::seniority::Seniority, lead_id};

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_number_without_country_code_of_somebody_abroad_is_not_north_american() {
        let found = |number: &str| TraceMatch {
            phones: vec![FoundPhone {
                number: number.into(),
                kind: PhoneKind::Mobile,
                do_not_call: false,
                connected: None,
            }],
            ..TraceMatch::default()
        };
        let numbers = |mut lead: Lead, number: &str| {
            trace(&mut lead, "tracerfy", &found(number));
            lead.phones.iter().map(|phone| phone.number.clone()).collect::<Vec<_>>()
        };
        let bare = || Lead::bare(lead_id("import_x", 1), 1, 2);
        let mut british = bare();
        british.address = Some(Address { country: Some("GB".parse().unwrap()), ..Address::default() });
        assert!(numbers(british.clone(), "(797) 555-0147").is_empty());
        assert_eq!(numbers(british, "+44 7975 550147"), ["+447975550147"]);
        let mut by_number = bare();
        by_number.add_phone(Phone::new("+442079460958".into(), PhoneKind::Unknown, "file"));
        assert_eq!(numbers(by_number, "797-555-0147"), ["+442079460958"]);
        assert_eq!(numbers(bare(), "917-555-0147"), ["+19175550147"]);
    }

    #[test]
    fn a_match_fills_empty_fields_only() {
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        lead.who.first_name = some("Ann");
        lead.who.email = some("ann@acme.com");
        lead.firm.employees = Some(Range { low: 5, high: 9 });
        let found = PersonMatch {
            first_name: some("Anna"),
            last_name: some("Lee"),
            title: some("Owner"),
            seniority: some("owner"),
            email: some("ann.lee@acme.com"),
            phones: vec![FoundPhone {
                number: "(917) 555-0101".into(),
                kind: PhoneKind::Mobile,
                do_not_call: false,
                connected: None,
            }],
            organization: Some(FoundOrganization {
                employees: Some(40),
                founded_year: Some(1990),
                ..Default::default()
            }),
            ..PersonMatch::default()
        };
        person(&mut lead, &found);
        assert_eq!(lead.who.contact_name.as_deref(), Some("Ann Lee"));
        assert_eq!((lead.who.email.as_deref(), lead.who.more_emails.len()), (Some("ann@acme.com"), 1));
        assert_eq!(lead.firm.employees, Some(Range { low: 5, high: 9 }));
        assert_eq!((lead.firm.year_established, lead.who.seniority), (Some(1990), Some(Seniority::Owner)));
        assert_eq!(lead.phones[0].number, "+19175550101");
        let once = lead.clone();
        person(&mut lead, &found);
        assert_eq!(lead, once, "a second time changes nothing");
    }

    #[test]
    fn a_trace_flags_numbers_that_must_not_be_called() {
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        lead.add_phone(Phone::new("+12125550147".into(), PhoneKind::Unknown, "file"));
        let number = |number: &str, do_not_call| FoundPhone {
            number: number.into(),
            kind: PhoneKind::Mobile,
            do_not_call,
            connected: Some(true),
        };
        let phones = vec![number("2125550147", true), number("9175550101", false)];
        trace(&mut lead, "realestate", &TraceMatch { phones, age: Some(51), ..TraceMatch::default() });
        let seen: Vec<_> = lead.phones.iter().map(|p| (p.kind, p.usable())).collect();
        assert_eq!(seen, [(PhoneKind::Mobile, false), (PhoneKind::Mobile, true)]);
        assert_eq!(lead.matched_by, ["realestate"]);
    }

    #[test]
    fn a_row_fills_the_empty_fields_of_its_lead() {
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        lead.firm.company_name = some("Acme");
        lead.address = Some(Address { city: some("Albany"), ..Address::default() });
        let mut row = Lead::bare(lead_id("import_y", 1), 1, 2);
        row.firm.company_name = some("ACME INC");
        row.firm.sic_code = some("1711");
        row.address = Some(Address { city: some("Troy"), state: some("NY"), ..Address::default() });
        fill_blanks(&mut lead, &row);
        assert_eq!(lead.firm.company_name.as_deref(), Some("Acme"));
        assert_eq!(lead.firm.sic_code.as_deref(), Some("1711"));
        let address = lead.address.unwrap();
        assert_eq!((address.city.as_deref(), address.state.as_deref()), (Some("Albany"), Some("NY")));
    }
}
