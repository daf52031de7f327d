//! From the cells of a row to a lead, or to the reason why it is none. Nothing is dropped in silence.

use std::collections::BTreeMap;

use super::{
    Address, Field, Lead, Phone, PhoneKind, amount, email,
    judge::{self, Reason, Rejection},
    name, phone, place,
    record::Warning,
    title,
};

/// Normalises the raw cells into fields and judges the lead. A refused lead is handed back as it came.
pub fn tidy(raw: Lead) -> Result<Lead, Box<(Lead, Rejection)>> {
    if let Some(fault) = raw.malformed {
        return Err(Box::new((raw, Rejection::new(Reason::MalformedRow, None, fault.expected()))));
    }
    // What comes without raw cells (a sector's member, a replayed lead) was tidied when it was first read.
    if raw.raw.is_empty() && (judge::has_identity(&raw) || !raw.phones.is_empty()) {
        return judge::judge(&raw).map_or(Ok(raw.clone()), |no| Err(Box::new((raw, no))));
    }
    let mut cells = raw.raw.clone();
    let mut lead = raw.clone();
    lead.raw.clear();
    person(&mut lead, &mut cells);
    phones(&mut lead, &mut cells);
    lead.address = address(&mut lead.warnings, &mut cells, OWN);
    lead.mailing = address(&mut lead.warnings, &mut cells, MAILING);
    firm(&mut lead, &mut cells);
    household(&mut lead, &mut cells);
    match judge::judge(&lead) {
        None => Ok(lead),
        Some(no) => Err(Box::new((raw, no))),
    }
}

type Raw = BTreeMap<Field, String>;

fn person(lead: &mut Lead, cells: &mut Raw) {
    let who = &mut lead.who;
    who.first_name = cells.remove(&Field::FirstName);
    who.last_name = cells.remove(&Field::LastName);
    who.contact_name = cells.remove(&Field::ContactName);
    match (&who.contact_name, &who.first_name, &who.last_name) {
        (None, Some(first), Some(last)) => who.contact_name = Some(format!("{first} {last}")),
        (Some(full), None, None) => (who.first_name, who.last_name) = name::split(full),
        _ => {}
    }
    who.title = cells.remove(&Field::Title);
    who.seniority = who.title.as_deref().and_then(title::seniority);
    who.linkedin_url = cells.remove(&Field::LinkedinUrl);
    if let Some(text) = cells.remove(&Field::Email) {
        match email::normalise(&text) {
            Some(address) => who.email = Some(address),
            None => lead.warn(Warning::InvalidEmail),
        }
    }
}

/// Mobile first: the order is the order of preference.
fn phones(lead: &mut Lead, cells: &mut Raw) {
    let area = cells.remove(&Field::AreaCode);
    let columns = [
        (Field::MobilePhone, PhoneKind::Mobile),
        (Field::DirectPhone, PhoneKind::Unknown),
        (Field::Phone, PhoneKind::Unknown),
    ];
    for (field, kind) in columns {
        let Some(text) = cells.remove(&field) else { continue };
        let joined = || phone::normalise(&format!("{}{text}", area.as_deref()?));
        match phone::normalise(&text).or_else(joined) {
            Some(number) => {
                let kind = if phone::toll_free(&number) { PhoneKind::TollFree } else { kind };
                lead.add_phone(Phone { number, kind, source: "file".into(), dnc: false, connected: None });
            }
            None => lead.warn(Warning::InvalidPhone),
        }
    }
}

type AddressFields = [Option<Field>; 6];
const OWN: AddressFields = [
    Some(Field::Address),
    Some(Field::Address2),
    Some(Field::City),
    Some(Field::State),
    Some(Field::Zip),
    Some(Field::County),
];
const MAILING: AddressFields = [
    Some(Field::MailingAddress),
    None,
    Some(Field::MailingCity),
    Some(Field::MailingState),
    Some(Field::MailingZip),
    None,
];

fn address(warnings: &mut Vec<Warning>, cells: &mut Raw, fields: AddressFields) -> Option<Address> {
    let [street, street2, city, state, zip, county] = fields.map(|field| cells.remove(&field?));
    let code = state.as_deref().and_then(place::state);
    if state.is_some() && code.is_none() && !warnings.contains(&Warning::UnknownState) {
        warnings.push(Warning::UnknownState);
    }
    let (zip, zip4) = zip.as_deref().and_then(place::zip).map_or((None, None), |(zip, four)| (Some(zip), four));
    let county = county.as_deref().map(place::county);
    let address = Address { street, street2, city, state: code.map(str::to_owned), zip, zip4, county };
    (address != Address::default()).then_some(address)
}

fn firm(lead: &mut Lead, cells: &mut Raw) {
    let firm = &mut lead.firm;
    firm.company_name = cells.remove(&Field::CompanyName);
    firm.website = cells.remove(&Field::Website);
    firm.domain = firm.website.as_deref().and_then(email::domain);
    firm.industry = cells.remove(&Field::Industry);
    firm.sic_code = cells.remove(&Field::SicCode).as_deref().and_then(amount::sic);
    firm.sic_description = cells.remove(&Field::SicDescription);
    firm.naics_code = cells.remove(&Field::NaicsCode);
    firm.naics_description = cells.remove(&Field::NaicsDescription);
    firm.employees = cells.remove(&Field::EmployeeCount).as_deref().and_then(amount::range);
    firm.revenue = cells.remove(&Field::AnnualRevenue).as_deref().and_then(amount::range);
    firm.year_established = cells.remove(&Field::YearEstablished).as_deref().and_then(amount::year);
}

fn household(lead: &mut Lead, cells: &mut Raw) {
    let mut range = |field| cells.remove(&field).as_deref().and_then(amount::range);
    let home = &mut lead.household;
    home.home_value = range(Field::HomeValue);
    home.income = range(Field::Income);
    home.age = range(Field::Age);
    home.length_of_residence = range(Field::LengthOfResidence);
    home.properties = range(Field::Properties).and_then(|r| u32::try_from(r.midpoint()).ok());
    home.equity = range(Field::Equity).map(super::Range::midpoint);
    home.home_owner = cells.remove(&Field::HomeOwner).as_deref().and_then(amount::truth);
    home.opt_in_date = cells.remove(&Field::OptInDate);
    home.opt_in_source = cells.remove(&Field::OptInSource);
    home.ip_address = cells.remove(&Field::IpAddress);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::{csv_row::RowFault, identity};

    fn raw(cells: &[(Field, &str)]) -> Lead {
        let mut lead = Lead::bare(identity::lead_id("import_x", 3), 3, 4);
        lead.raw = cells.iter().map(|(f, t)| (*f, t.to_string())).collect();
        lead
    }

    #[test]
    fn a_row_becomes_a_lead() {
        let lead = tidy(raw(&[
            (Field::CompanyName, "Acme Plumbing, Inc."),
            (Field::ContactName, "Ann van Dyke"),
            (Field::Title, "Owner"),
            (Field::Email, "ANN@Acme.com"),
            (Field::Phone, "555-0147"),
            (Field::AreaCode, "212"),
            (Field::MobilePhone, "(917) 555-0101"),
            (Field::Address, "12 Main St"),
            (Field::City, "New York"),
            (Field::State, "new york"),
            (Field::Zip, "10001-1234"),
            (Field::County, "New York County"),
            (Field::SicCode, "711"),
            (Field::EmployeeCount, "5-9"),
            (Field::AnnualRevenue, "$1.5M"),
            (Field::YearEstablished, "1987"),
            (Field::Website, "www.acme.com"),
            (Field::HomeOwner, "Y"),
        ]))
        .unwrap();
        assert_eq!(lead.who.first_name.as_deref(), Some("Ann"));
        assert_eq!(lead.who.last_name.as_deref(), Some("van Dyke"));
        assert_eq!(lead.who.seniority, Some(title::Seniority::Owner));
        assert_eq!(lead.who.email.as_deref(), Some("ann@acme.com"));
        let numbers: Vec<_> = lead.phones.iter().map(|p| (p.number.as_str(), p.kind)).collect();
        assert_eq!(numbers, [("+19175550101", PhoneKind::Mobile), ("+12125550147", PhoneKind::Unknown)]);
        let address = lead.address.as_ref().unwrap();
        assert_eq!((address.state.as_deref(), address.zip.as_deref()), (Some("NY"), Some("10001")));
        assert_eq!((address.zip4.as_deref(), address.county.as_deref()), (Some("1234"), Some("New York")));
        assert_eq!(lead.firm.sic_code.as_deref(), Some("0711"));
        assert_eq!(lead.firm.employees.unwrap().midpoint(), 7);
        assert_eq!(lead.firm.revenue.unwrap().midpoint(), 1_500_000);
        assert_eq!(lead.firm.domain.as_deref(), Some("acme.com"));
        assert!(lead.raw.is_empty() && lead.warnings.is_empty());
        // Tidied once is tidied for good.
        assert_eq!(tidy(lead.clone()).unwrap(), lead);
    }

    #[test]
    fn ten_kinds_of_broken_rows() {
        use Field::*;
        use Reason::*;
        let malformed = |fault| Lead { malformed: Some(fault), ..raw(&[(CompanyName, "Acme"), (Phone, "2125550147")]) };
        for (lead, reason, field) in [
            (raw(&[(Phone, "2125550147")]), MissingIdentity, Some("company_name")),
            (raw(&[(FirstName, "Ann"), (Phone, "2125550147")]), MissingIdentity, Some("company_name")),
            (raw(&[]), MissingIdentity, Some("company_name")),
            (raw(&[(CompanyName, "Acme")]), MissingContactPath, Some("phone")),
            (raw(&[(CompanyName, "Acme"), (Phone, "555-12")]), MissingContactPath, Some("phone")),
            (raw(&[(CompanyName, "Acme"), (Email, "none@acme.com")]), MissingContactPath, Some("email")),
            (
                raw(&[(CompanyName, "Acme"), (Address, "1 A St"), (City, "B"), (State, "ZZ")]),
                MissingContactPath,
                Some("state"),
            ),
            (malformed(RowFault::TooFewCells { found: 2, expected: 3 }), MalformedRow, None),
            (malformed(RowFault::TooManyCells { found: 4, expected: 3 }), MalformedRow, None),
            (malformed(RowFault::UnclosedQuote), MalformedRow, None),
            (malformed(RowFault::NulByte), MalformedRow, None),
        ] {
            let refused = tidy(lead.clone()).unwrap_err();
            assert_eq!((refused.1.reason, refused.1.field), (reason, field), "{lead:?}");
            assert!(!refused.1.expected.is_empty());
            assert_eq!(refused.0, lead, "handed back as it came");
        }
    }

    #[test]
    fn one_bad_cell_does_not_lose_the_lead() {
        let cells =
            [(Field::CompanyName, "Acme"), (Field::Phone, "12"), (Field::Email, "x@acme.com"), (Field::State, "ZZ")];
        let lead = tidy(raw(&cells)).unwrap();
        assert_eq!(lead.warnings, [Warning::InvalidPhone, Warning::UnknownState]);
    }
}
