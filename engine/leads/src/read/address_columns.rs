//! Columns of addresses. An export can hold several (`Business Street`, `Home Street`); the parts of two are never mixed.

use crate::Field;

/// The fields that are mapped here.
pub(super) const FIELDS: [Field; 11] = [
    Field::Address,
    Field::Address2,
    Field::City,
    Field::State,
    Field::Zip,
    Field::County,
    Field::Country,
    Field::MailingAddress,
    Field::MailingCity,
    Field::MailingState,
    Field::MailingZip,
];

/// What stands before the name of a part, the preferred address first.
const MAIN: [&str; 10] =
    ["", "property", "business", "company", "work", "office", "organization", "address1", "billing", "location"];
const MAILING: [&str; 5] = ["mailing", "mail", "home", "person", "shipping"];

const PLACE: [Field; 3] = [Field::City, Field::State, Field::Zip];

/// The columns of the main and of the mailing address.
pub(super) fn of(folded: &[String]) -> Vec<(Field, usize)> {
    let column = |prefix: &str, field: Field| {
        let named = |variant: &&str| folded.iter().position(|header| header.strip_prefix(prefix) == Some(*variant));
        field.variants().iter().find_map(named)
    };
    let street = |prefix: &&str| column(prefix, Field::Address).is_some();
    let place = |prefix: &str| PLACE.iter().any(|field| column(prefix, *field).is_some());
    let main = MAIN.into_iter().find(|prefix| street(prefix)).or_else(|| MAIN.into_iter().find(|prefix| place(prefix)));
    let mailing = MAILING.into_iter().find(|prefix| street(prefix)).or_else(|| MAILING.into_iter().find(|p| place(p)));
    let mut columns = Vec::new();
    if let Some(main) = main {
        // `Company Address` beside `City` and `State` is one address, unless the company has its own city.
        let of_place = if place(main) { main } else { "" };
        let prefix = |field| if PLACE.contains(&field) { of_place } else { main };
        let parts = [Field::Address, Field::Address2, Field::City, Field::State, Field::Zip, Field::County];
        columns.extend(parts.into_iter().filter_map(|field| Some((field, column(prefix(field), field)?))));
        if !main.is_empty() {
            columns.extend(column("", Field::County).map(|at| (Field::County, at)));
        }
    }
    // City and state of the person beside an address of the company.
    let spare = main.is_some_and(|main| !main.is_empty() && place(main)) && place("");
    let mailing = mailing.or_else(|| spare.then_some(""));
    if let Some(mailing) = mailing {
        let parts = [
            (Field::MailingAddress, Field::Address),
            (Field::MailingCity, Field::City),
            (Field::MailingState, Field::State),
            (Field::MailingZip, Field::Zip),
        ];
        columns.extend(parts.into_iter().filter_map(|(own, field)| Some((own, column(mailing, field)?))));
    }
    let country = main.into_iter().chain([""]).chain(mailing).chain(MAIN).find_map(|p| column(p, Field::Country));
    columns.extend(country.map(|at| (Field::Country, at)));
    columns
}
