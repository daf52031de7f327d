//! Turns the raw cells of a row into the fields of a lead, or rejects the row. What cannot be used is warned of or rejected,
//! never dropped silently.

use std::collections::BTreeMap;

use crate::{
    Address, Field, Lead,
    lead::{
        Warning,
        rejection::{Rejection, RejectionReason},
    },
    normalise::{
        address, amount, email, name,
        phone::{Country, Named},
        postcode::{self, Postcode},
        title,
    },
    validate::{check, contact},
};

/// Normalises the raw cells into fields and validates the lead. A rejected lead is returned unchanged.
pub fn normalise(raw: Lead) -> Result<Lead, Box<(Lead, Rejection)>> {
    if let Some(fault) = raw.malformed {
        return Err(Box::new((raw, Rejection::new(RejectionReason::MalformedRow, None, fault.expected()))));
    }
    // A lead without raw cells (a member of a sector, a replayed lead) was normalised when it was first read.
    if raw.raw.is_empty() && (check::has_identity(&raw) || !raw.phones.is_empty()) {
        return match check::rejection(&raw) {
            None => Ok(raw),
            Some(rejection) => Err(Box::new((raw, rejection))),
        };
    }
    let mut cells = raw.raw.clone();
    let mut lead = raw.clone();
    lead.raw.clear();
    person(&mut lead, &mut cells);
    let named = cells.remove(&Field::Country).as_deref().map_or(Named::Nothing, Country::named);
    let numbers = contact::phones(&mut lead, &mut cells, named);
    lead.foreign_file = false;
    contact::emails(&mut lead, cells.remove(&Field::Email).as_deref());
    lead.address = postal_address(&mut lead, &mut cells, (named, numbers), ADDRESS);
    lead.mailing = postal_address(&mut lead, &mut cells, (named, numbers), MAILING);
    firm(&mut lead, &mut cells);
    household(&mut lead, &mut cells);
    match check::rejection(&lead) {
        None => Ok(lead),
        Some(rejection) => Err(Box::new((raw, rejection))),
    }
}

pub(super) type RawCells = BTreeMap<Field, String>;

fn person(lead: &mut Lead, cells: &mut RawCells) {
    let who = &mut lead.who;
    // A cell that is no first name stays as it is; nobody is greeted by it.
    who.first_name = cells.remove(&Field::FirstName).map(|cell| name::given(&cell).unwrap_or(cell));
    who.last_name = cells.remove(&Field::LastName);
    if let (Some(first), Some(last)) = (&mut who.first_name, &who.last_name) {
        // `Ann Lee` beside `Lee`
        let alone =
            first.strip_suffix(last.as_str()).map(str::trim_end).filter(|rest| first.len() > rest.len() + last.len());
        if let Some(alone) = alone.filter(|alone| !alone.is_empty()).map(str::to_owned) {
            *first = alone;
        }
    }
    who.contact_name = cells.remove(&Field::ContactName);
    match (&who.contact_name, &who.first_name, &who.last_name) {
        (None, Some(first), Some(last)) => who.contact_name = Some(format!("{first} {last}")),
        (Some(full), None, None) => (who.first_name, who.last_name) = name::split(full),
        _ => {}
    }
    who.title = cells.remove(&Field::Title);
    who.seniority = who.title.as_deref().and_then(title::seniority);
    who.linkedin_url = cells.remove(&Field::LinkedinUrl);
}

type AddressFields = [Option<Field>; 6];
const ADDRESS: AddressFields = [
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

fn postal_address(
    lead: &mut Lead,
    cells: &mut RawCells,
    (named, numbers): (Named, Named),
    fields: AddressFields,
) -> Option<Address> {
    let [street, street2, city, state, zip, county] = fields.map(|field| cells.remove(&field?));
    let state = state.filter(|text| Country::named(text) != Named::Nothing);
    let code = state.as_deref().and_then(address::state);
    let country = named.known();
    let foreign = named == Named::Unknown || country.is_some_and(|country| country != Country::US);
    if let (Some(text), None, Some(field)) = (&state, code, fields[3]) {
        lead.keep_unread(field, text, Warning::UnknownState.as_str());
        lead.warn(Warning::UnknownState);
    }
    // Zeros are restored for US ZIP codes only: 8001 in a row of another country, state or number is Zurich.
    let elsewhere = code.is_none() && (state.is_some() || numbers != Named::Nothing);
    let abroad = foreign || (country.is_none() && elsewhere);
    let (zip, zip4) = match zip.as_deref().map(|text| (text, postcode::read(text, abroad))) {
        Some((_, Some(Postcode::Us { zip, plus4 }))) => (Some(zip), plus4),
        Some((_, Some(Postcode::Foreign(text)))) => (Some(text), None),
        Some((text, None)) => {
            fields[4].into_iter().for_each(|field| lead.keep_unread(field, text, Warning::InvalidZip.as_str()));
            lead.warn(Warning::InvalidZip);
            (None, None)
        }
        None => (None, None),
    };
    let county = county.as_deref().map(address::county);
    let address = Address { street, street2, city, state: code.map(str::to_owned), zip, zip4, county, country: None };
    (address != Address::default()).then_some(Address { country, ..address })
}

/// The range of a cell. A number that is no amount is kept as it is written.
fn amount_of(lead: &mut Lead, cells: &mut RawCells, field: Field) -> Option<crate::Range> {
    let text = cells.remove(&field)?;
    if amount::is_unreadable(&text) {
        lead.keep_unread(field, &text, "no_amount");
    }
    amount::range(&text)
}

/// What `read` makes of a cell. A cell that it does not know is kept as it is written.
fn read_or_keep<T>(lead: &mut Lead, cells: &mut RawCells, field: Field, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = cells.remove(&field)?;
    let found = read(&text);
    if found.is_none() {
        lead.keep_unread(field, &text, "unknown_value");
    }
    found
}

fn firm(lead: &mut Lead, cells: &mut RawCells) {
    let sic_code = read_or_keep(lead, cells, Field::SicCode, amount::sic);
    let year_established = read_or_keep(lead, cells, Field::YearEstablished, amount::year);
    let (employees, revenue) =
        (amount_of(lead, cells, Field::EmployeeCount), amount_of(lead, cells, Field::AnnualRevenue));
    let firm = &mut lead.firm;
    firm.company_name = cells.remove(&Field::CompanyName);
    firm.website = cells.remove(&Field::Website);
    firm.domain = firm.website.as_deref().and_then(email::domain);
    firm.industry = cells.remove(&Field::Industry);
    firm.sic_code = sic_code;
    firm.sic_description = cells.remove(&Field::SicDescription);
    firm.naics_code = cells.remove(&Field::NaicsCode);
    firm.naics_description = cells.remove(&Field::NaicsDescription);
    firm.employees = employees;
    firm.revenue = revenue;
    firm.year_established = year_established;
}

fn household(lead: &mut Lead, cells: &mut RawCells) {
    let home_owner = read_or_keep(lead, cells, Field::HomeOwner, amount::home_owner);
    let mut range = |field| amount_of(lead, cells, field);
    let (home_value, income, age) = (range(Field::HomeValue), range(Field::Income), range(Field::Age));
    let (length, properties) = (range(Field::LengthOfResidence), range(Field::Properties));
    let equity = range(Field::Equity);
    let home = &mut lead.household;
    home.home_value = home_value;
    home.income = income;
    home.age = age;
    home.length_of_residence = length;
    home.properties = properties.and_then(|r| u32::try_from(r.midpoint()).ok());
    home.equity = equity.map(crate::Range::midpoint);
    home.home_owner = home_owner;
    home.opt_in_date = cells.remove(&Field::OptInDate);
    home.opt_in_source = cells.remove(&Field::OptInSource);
    home.ip_address = cells.remove(&Field::IpAddress);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        PhoneKind,
        lead::{identity, rejection::RowFault, seniority::Seniority},
    };

    fn raw(cells: &[(Field, &str)]) -> Lead {
        let mut lead = Lead::bare(identity::lead_id("import_x", 3), 3, 4);
        lead.raw = cells.iter().map(|(f, t)| (*f, t.to_string())).collect();
        lead
    }

    #[test]
    fn a_row_becomes_a_lead() {
        let lead = normalise(raw(&[
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
        assert_eq!(lead.who.seniority, Some(Seniority::Owner));
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
        // Normalising again changes nothing.
        assert_eq!(normalise(lead.clone()).unwrap(), lead);
    }

    #[test]
    fn kinds_of_rejected_rows() {
        use Field::*;
        use RejectionReason::*;
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
            (malformed(RowFault::UnclosedQuote { lines: 2 }), MalformedRow, None),
            (malformed(RowFault::NulByte), MalformedRow, None),
        ] {
            let rejected = normalise(lead.clone()).unwrap_err();
            assert_eq!((rejected.1.reason, rejected.1.field), (reason, field), "{lead:?}");
            assert!(!rejected.1.expected.is_empty());
            assert_eq!(rejected.0, lead, "unchanged");
        }
    }

    #[test]
    fn one_bad_cell_does_not_lose_the_lead() {
        let cells =
            [(Field::CompanyName, "Acme"), (Field::Phone, "12"), (Field::Email, "x@acme.com"), (Field::State, "ZZ")];
        let lead = normalise(raw(&cells)).unwrap();
        assert_eq!(lead.warnings, [Warning::InvalidPhone, Warning::UnknownState]);
    }
    #[test]
    fn a_number_that_is_no_amount_is_kept_as_it_is_written() {
        let cells = [(Field::CompanyName, "Acme"), (Field::Phone, "2125550147"), (Field::Equity, "-2500000")];
        let lead = normalise(raw(&cells)).unwrap();
        assert_eq!(lead.household.equity, None);
        let kept: Vec<_> = lead.unread.iter().map(|cell| (cell.field, cell.text.as_str())).collect();
        assert_eq!(kept, [(Field::Equity, "-2500000")]);
    }
}
