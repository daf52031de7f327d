//! Reads a lead from the JSON of an API call: its fields become the cells of a row, which are normalised and validated like
//! those of a file.

use serde_json::{Map, Value};

use crate::{
    Field, Lead, PhoneKind,
    lead::rejection::Rejection,
    normalise::{
        amount,
        phone::{Country, Hints, Named},
        text::nfc,
    },
    validate::{contact, row},
};

/// Characters of a text at most.
const MAX_TEXT: usize = 2_000;
/// Phone numbers of a lead at most.
const MAX_PHONES: usize = 10;
/// Texts in `extra` at most.
const MAX_EXTRA: usize = 100;

/// Paths in a lead's JSON, and their fields. Derived fields (`seniority`, `domain` …) are not accepted.
const PATHS: &[(&str, Field)] = &[
    ("companyName", Field::CompanyName),
    ("contactName", Field::ContactName),
    ("firstName", Field::FirstName),
    ("lastName", Field::LastName),
    ("title", Field::Title),
    ("email", Field::Email),
    ("phone", Field::Phone),
    ("areaCode", Field::AreaCode),
    ("mobilePhone", Field::MobilePhone),
    ("linkedinUrl", Field::LinkedinUrl),
    ("address.street", Field::Address),
    ("address.street2", Field::Address2),
    ("address.city", Field::City),
    ("address.state", Field::State),
    ("address.zip", Field::Zip),
    ("address.county", Field::County),
    ("address.country", Field::Country),
    ("mailing.street", Field::MailingAddress),
    ("mailing.city", Field::MailingCity),
    ("mailing.state", Field::MailingState),
    ("mailing.zip", Field::MailingZip),
    ("website", Field::Website),
    ("industry", Field::Industry),
    ("sicCode", Field::SicCode),
    ("sicDescription", Field::SicDescription),
    ("naicsCode", Field::NaicsCode),
    ("naicsDescription", Field::NaicsDescription),
    ("employees", Field::EmployeeCount),
    ("revenue", Field::AnnualRevenue),
    ("yearEstablished", Field::YearEstablished),
    ("household.homeValue", Field::HomeValue),
    ("household.income", Field::Income),
    ("household.age", Field::Age),
    ("household.homeOwner", Field::HomeOwner),
    ("household.lengthOfResidence", Field::LengthOfResidence),
    ("household.properties", Field::Properties),
    ("household.equity", Field::Equity),
    ("household.optInDate", Field::OptInDate),
    ("household.optInSource", Field::OptInSource),
    ("household.ipAddress", Field::IpAddress),
];

/// Fields that hold an amount: a whole number from 0, or a text that says one (`$1.5M`, `5-9`).
const AMOUNTS: &[Field] = &[
    Field::EmployeeCount,
    Field::AnnualRevenue,
    Field::HomeValue,
    Field::Income,
    Field::Age,
    Field::LengthOfResidence,
    Field::Properties,
    Field::Equity,
];

/// Fields of a lead that are objects.
const OBJECTS: &[&str] = &["address", "mailing", "household"];

/// The path in the lead of each wrong field, and what was expected there.
pub type FieldErrors = Vec<(String, String)>;

/// Reads, normalises and validates one lead; `bare` has its id and row. Fails with all wrong fields, not only the first.
pub fn read(bare: Lead, json: &Value) -> Result<Lead, FieldErrors> {
    let Some(fields) = json.as_object() else { return Err(vec![(String::new(), "an object".into())]) };
    let mut reader = LeadReader { lead: bare, phones: Vec::new(), errors: Vec::new() };
    reader.object("", fields);
    let LeadReader { mut lead, phones, errors } = reader;
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut numbers = Lead::bare(lead.lead_id, lead.row, lead.line);
    let named = lead.raw.get(&Field::Country).map_or(Named::Nothing, |text| Country::named(text));
    let texts: Vec<&str> = phones.iter().map(|(number, _)| number.as_str()).collect();
    let country = contact::country_of(named, &lead.raw, &texts, false);
    let hints = Hints { country, area: None };
    for (number, kind) in phones {
        contact::add_phones(&mut numbers, Field::DirectPhone, &number, (kind, "api"), hints);
    }
    // One of the list stands in the raw cells, by which the lead is validated.
    let unread = numbers.unread.first().map(|cell| cell.text.clone());
    if let Some(number) = numbers.phones.first().map(|phone| phone.number.clone()).or(unread) {
        lead.raw.entry(Field::DirectPhone).or_insert(number);
    }
    let mut lead = row::normalise(lead).map_err(|rejected| vec![field_error(&rejected.1)])?;
    merge_numbers(&mut lead, numbers);
    Ok(lead)
}

fn merge_numbers(lead: &mut Lead, numbers: Lead) {
    numbers.phones.into_iter().for_each(|phone| lead.add_phone(phone));
    numbers.unread.iter().for_each(|cell| lead.keep_unread(cell.field, &cell.text, &cell.reason));
    numbers.warnings.into_iter().for_each(|warning| lead.warn(warning));
    lead.phones.iter_mut().for_each(|phone| phone.source = "api".into());
}

/// The rejection with the field's path in the lead.
fn field_error(rejection: &Rejection) -> (String, String) {
    let entry = |name: &&str| PATHS.iter().find(|(_, field)| field.as_str() == *name);
    let phone = rejection.field == Some(Field::DirectPhone.as_str());
    let path = rejection.field.as_ref().and_then(entry).map_or(if phone { "phone" } else { "" }, |(path, _)| path);
    (path.to_owned(), rejection.expected.clone())
}

struct LeadReader {
    lead: Lead,
    phones: Vec<(String, PhoneKind)>,
    errors: FieldErrors,
}

impl LeadReader {
    fn object(&mut self, path: &str, fields: &Map<String, Value>) {
        for (name, value) in fields {
            let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if value.is_null() {
                continue;
            }
            match (PATHS.iter().find(|(path, _)| *path == at), value) {
                (Some((_, field)), value) => self.cell(&at, *field, value),
                (None, Value::Object(inner)) if OBJECTS.contains(&at.as_str()) => self.object(&at, inner),
                (None, Value::Array(list)) if at == "phones" => self.phones(list),
                (None, Value::Object(extra)) if at == "extra" => self.extra(extra),
                (None, _) if OBJECTS.contains(&at.as_str()) || at == "extra" => self.fail(at, "an object"),
                (None, _) if at == "phones" => self.fail(at, "a list"),
                (None, _) => self.fail(at, "there is no such field"),
            }
        }
    }

    fn fail(&mut self, at: String, expected: &str) {
        self.errors.push((at, expected.to_owned()));
    }

    fn cell(&mut self, at: &str, field: Field, value: &Value) {
        let cell = text(value);
        if AMOUNTS.contains(&field) && (value.is_f64() || cell.as_deref().is_some_and(amount::is_unreadable)) {
            return self.fail(at.to_owned(), "an amount: a whole number from 0, or a text that says one");
        }
        match cell {
            Some(cell) if fits(&cell) => {
                let cell = nfc(cell.trim().to_owned());
                if !cell.is_empty() {
                    self.lead.raw.insert(field, cell);
                }
            }
            _ => {
                let expected = format!("a text of at most {MAX_TEXT} characters, a number, or low and high");
                self.fail(at.to_owned(), &expected);
            }
        }
    }

    fn phones(&mut self, list: &[Value]) {
        if list.len() > MAX_PHONES {
            return self.fail("phones".into(), &format!("at most {MAX_PHONES}"));
        }
        for (index, one) in list.iter().enumerate() {
            let at = |name: &str| format!("phones[{index}]{name}");
            let Some(fields) = one.as_object() else {
                self.fail(at(""), "an object with number and kind");
                continue;
            };
            for name in fields.keys().filter(|name| !matches!(name.as_str(), "number" | "kind")) {
                self.fail(at(&format!(".{name}")), "there is no such field");
            }
            let kind = fields.get("kind").filter(|kind| !kind.is_null());
            let kind = kind.map_or(Ok(PhoneKind::Unknown), |kind| serde_json::from_value(kind.clone()));
            match (fields.get("number").and_then(text).filter(|number| fits(number)), kind) {
                (Some(number), Ok(kind)) => self.phones.push((number, kind)),
                (None, _) => self.fail(at(".number"), "a phone number"),
                (_, Err(_)) => self.fail(at(".kind"), "one of mobile, landline, voip, toll_free, unknown"),
            }
        }
    }

    fn extra(&mut self, fields: &Map<String, Value>) {
        if fields.len() > MAX_EXTRA {
            return self.fail("extra".into(), &format!("at most {MAX_EXTRA}"));
        }
        for (name, value) in fields {
            match text(value) {
                Some(cell) if fits(&cell) && fits(name) => drop(self.lead.extra.insert(name.clone(), nfc(cell))),
                _ => {
                    let expected = format!("a text of at most {MAX_TEXT} characters, or a number of at most 15 digits");
                    self.fail(format!("extra.{name}"), &expected);
                }
            }
        }
    }
}

/// A value as the text of a cell.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            Some(number.to_string()).filter(|text| number.is_u64() || number.is_i64() || is_exact(text))
        }
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.into()),
        Value::Object(range) if range.len() == 2 => {
            Some(format!("{}-{}", range.get("low")?.as_u64()?, range.get("high")?.as_u64()?))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a fraction has as few digits as it takes to be the number that was sent. Another one is sent as a text.
fn is_exact(fraction: &str) -> bool {
    !fraction.contains('e') && fraction.bytes().filter(u8::is_ascii_digit).count() <= 15
}

/// Postgres and most tools reject zero bytes.
fn fits(text: &str) -> bool {
    text.chars().count() <= MAX_TEXT && !text.contains('\0')
}

#[cfg(test)]
mod tests;
