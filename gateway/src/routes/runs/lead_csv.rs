//! A lead as a row of CSV, in the columns of an upload.

use luci_leads::{Address, Field, Lead, PhoneKind, Range, read::formula_guard};

/// The cell of a field: as it was in the file if validation rejected the lead, else as LUCI stores it.
pub fn cell(lead: &Lead, field: Field) -> String {
    match lead.raw.get(&field) {
        Some(text) => text.clone(),
        None => stored(lead, field).unwrap_or_default(),
    }
}

fn stored(lead: &Lead, field: Field) -> Option<String> {
    let (who, firm, household) = (&lead.who, &lead.firm, &lead.household);
    match field {
        Field::CompanyName => firm.company_name.clone(),
        Field::ContactName => who.contact_name.clone(),
        Field::FirstName => who.first_name.clone(),
        Field::LastName => who.last_name.clone(),
        Field::Title => who.title.clone(),
        Field::Email => emails(lead),
        Field::Country => {
            [&lead.address, &lead.mailing].into_iter().flatten().find_map(|a| a.country).map(|c| c.to_string())
        }
        Field::Phone | Field::DirectPhone | Field::MobilePhone => phone(lead, field),
        Field::LinkedinUrl => who.linkedin_url.clone(),
        Field::Address
        | Field::Address2
        | Field::City
        | Field::State
        | Field::Zip
        | Field::County
        | Field::MailingAddress
        | Field::MailingCity
        | Field::MailingState
        | Field::MailingZip => address_part(lead, field),
        // Merged into the phone numbers.
        Field::AreaCode => None,
        Field::Website => firm.website.clone(),
        Field::Industry => firm.industry.clone(),
        Field::SicCode => firm.sic_code.clone(),
        Field::SicDescription => firm.sic_description.clone(),
        Field::NaicsCode => firm.naics_code.clone(),
        Field::NaicsDescription => firm.naics_description.clone(),
        Field::EmployeeCount => firm.employees.map(range),
        Field::AnnualRevenue => firm.revenue.map(range),
        Field::YearEstablished => firm.year_established.map(|year| year.to_string()),
        Field::HomeValue => household.home_value.map(range),
        Field::Income => household.income.map(range),
        Field::Age => household.age.map(range),
        Field::HomeOwner => household.home_owner.map(|owns| if owns { "yes" } else { "no" }.into()),
        Field::LengthOfResidence => household.length_of_residence.map(range),
        Field::Properties => household.properties.map(|n| n.to_string()),
        Field::Equity => household.equity.map(|n| n.to_string()),
        Field::OptInDate => household.opt_in_date.clone(),
        Field::OptInSource => household.opt_in_source.clone(),
        Field::IpAddress => household.ip_address.clone(),
    }
}

fn emails(lead: &Lead) -> Option<String> {
    let all: Vec<&str> = lead.who.email.iter().chain(&lead.who.more_emails).map(String::as_str).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// The first mobile number has its own column, so that a new upload reads it as mobile again.
fn phone(lead: &Lead, field: Field) -> Option<String> {
    let mobile = lead.phones.iter().position(|phone| phone.kind == PhoneKind::Mobile);
    let mut others = (0..lead.phones.len()).filter(|at| Some(*at) != mobile);
    let at = match field {
        Field::MobilePhone => mobile,
        Field::Phone => others.next(),
        _ => others.nth(1),
    };
    let phone = lead.phones.get(at?)?;
    Some(match &phone.extension {
        Some(extension) => format!("{} x{extension}", phone.number),
        None => phone.number.clone(),
    })
}

fn address_part(lead: &Lead, field: Field) -> Option<String> {
    let of = |at: &Option<Address>, part: fn(&Address) -> &Option<String>| at.as_ref().and_then(|a| part(a).clone());
    match field {
        Field::Address => of(&lead.address, |a| &a.street),
        Field::Address2 => of(&lead.address, |a| &a.street2),
        Field::City => of(&lead.address, |a| &a.city),
        Field::State => of(&lead.address, |a| &a.state),
        Field::Zip => of(&lead.address, |a| &a.zip),
        Field::County => of(&lead.address, |a| &a.county),
        Field::MailingAddress => of(&lead.mailing, |a| &a.street),
        Field::MailingCity => of(&lead.mailing, |a| &a.city),
        Field::MailingState => of(&lead.mailing, |a| &a.state),
        Field::MailingZip => of(&lead.mailing, |a| &a.zip),
        _ => None,
    }
}

fn range(range: Range) -> String {
    if range.low == range.high { range.low.to_string() } else { format!("{}-{}", range.low, range.high) }
}

/// What a file begins with, so that spreadsheets read it as UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Appends a line of CSV. What a spreadsheet would compute or rewrite is guarded; an import removes the guard.
pub fn write(values: impl Iterator<Item = String>, text: &mut Vec<u8>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.push(b',');
        }
        let value = formula_guard::guarded(&value);
        if value.contains([',', ';', '\t', '"', '\n', '\r']) {
            text.extend_from_slice(format!("\"{}\"", value.replace('"', "\"\"")).as_bytes());
        } else {
            text.extend_from_slice(value.as_bytes());
        }
    }
    text.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_escaped() {
        let mut text = Vec::new();
        let values = ["a,b", "say \"hi\"", "=1+1", "+1 (212) 555-0100", "-x", "plain"];
        write(values.into_iter().map(str::to_owned), &mut text);
        let line = String::from_utf8(text).unwrap();
        assert_eq!(line, "\"a,b\",\"say \"\"hi\"\"\",'=1+1,'+1 (212) 555-0100,'-x,plain\r\n");
    }

    #[test]
    fn a_rejected_row_keeps_its_raw_cells() {
        let mut lead = Lead::bare(luci_leads::lead_id("import_x", 1), 1, 2);
        lead.raw.insert(Field::Phone, "call me".into());
        lead.who.first_name = Some("Ada".into());
        assert_eq!((cell(&lead, Field::Phone), cell(&lead, Field::FirstName)), ("call me".into(), "Ada".into()));
    }
}
