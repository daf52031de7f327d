//! Rows of a queue: written from queries, matched by person, read.

use std::collections::HashMap;

use luci_leads::{
    PhoneKind,
    enrich::{
        found::{FoundPhone, TraceMatch},
        query::TraceQuery,
    },
};
use luci_schema::FailureCode;
use serde_json::{Value, json};

use super::error;
use crate::{
    fields::{number, text},
    lookup_api::LookupOutcome,
    reason::Reason,
};

/// The fields that identify a row.
pub(super) const IDENTITY: [&str; 6] = ["first_name", "last_name", "address", "city", "state", "zip"];

pub(super) fn row(query: &TraceQuery) -> Value {
    json!({"first_name": query.first_name, "last_name": query.last_name, "address": query.address,
           "city": query.city, "state": query.state, "zip": query.zip})
}

/// The normalised identity of a row.
fn identity(row: &Value) -> String {
    let field = |name: &&str| text(row, &[name]).unwrap_or_default().to_lowercase();
    IDENTITY.iter().map(field).collect::<Vec<_>>().join("\u{1f}")
}

/// A missing row is no answer: it can be looked up again.
pub(super) fn by_person(rows: &[Value], queries: &[&TraceQuery]) -> Vec<LookupOutcome<TraceMatch>> {
    let rows: HashMap<String, &Value> = rows.iter().map(|row| (identity(row), row)).collect();
    let outcome = |query: &&TraceQuery| match rows.get(&identity(&row(query))) {
        Some(row) => Ok(trace_match(row)),
        None => Err(error(FailureCode::ApiError, Reason::MissingAnswer)),
    };
    queries.iter().map(outcome).collect()
}

fn trace_match(row: &Value) -> Option<TraceMatch> {
    let mut phones: Vec<FoundPhone> = Vec::new();
    let mut add = |number: Option<String>, kind: PhoneKind| {
        if let Some(number) = number.filter(|number| phones.iter().all(|phone| phone.number != *number)) {
            phones.push(FoundPhone { number, kind, do_not_call: false, connected: None });
        }
    };
    let primary = match text(row, &["primary_phone_type"]).as_deref() {
        Some("Mobile") => PhoneKind::Mobile,
        Some("Landline") => PhoneKind::Landline,
        _ => PhoneKind::Unknown,
    };
    add(text(row, &["primary_phone"]), primary);
    let numbered = |name: &str, many: usize| -> Vec<String> {
        (1..=many).filter_map(|n| text(row, &[&format!("{name}_{n}")])).collect()
    };
    numbered("mobile", 5).into_iter().for_each(|number| add(Some(number), PhoneKind::Mobile));
    numbered("landline", 3).into_iter().for_each(|number| add(Some(number), PhoneKind::Landline));
    let found = TraceMatch {
        phones,
        emails: numbered("email", 5),
        addresses: numbered("past_address", 5),
        relatives: numbered("relative", 8),
        age: number(row, "age").and_then(|age| u32::try_from(age).ok()),
    };
    Some(found).filter(|found| *found != TraceMatch::default())
}

#[cfg(test)]
mod tests {
    use luci_schema::LeadId;

    use super::*;

    fn query(last: &str) -> TraceQuery {
        TraceQuery {
            lead_id: LeadId::generate(),
            first_name: Some("Ana".into()),
            last_name: Some(last.into()),
            address: "1 Main St".into(),
            city: "Albany".into(),
            state: "NY".into(),
            zip: None,
        }
    }

    #[test]
    fn a_documented_row_is_read_and_matched_by_its_person() {
        let (one, two, three) = (query("Diaz"), query("Moss"), query("Ray"));
        let rows = [
            json!({ "first_name": "ANA", "last_name": "moss", "address": "1 Main St", "city": "Albany", "state": "NY",
                    "zip": "", "primary_phone": "", "primary_phone_type": "", "mobile_1": "", "email_1": "" }),
            json!({ "first_name": "Ana", "last_name": "Diaz", "address": "1 Main St", "city": "Albany", "state": "NY",
                    "primary_phone": "5185550101", "primary_phone_type": "Mobile", "mobile_1": "5185550101",
                    "mobile_2": "5185550102", "landline_1": "5185550103", "email_1": "ana@mail.test", "age": "51" }),
        ];
        let outcomes = by_person(&rows, &[&one, &two, &three]);
        let found = outcomes[0].as_ref().unwrap().as_ref().unwrap();
        let kinds: Vec<_> = found.phones.iter().map(|phone| (phone.number.as_str(), phone.kind)).collect();
        let expected =
            [("5185550101", PhoneKind::Mobile), ("5185550102", PhoneKind::Mobile), ("5185550103", PhoneKind::Landline)];
        assert_eq!(kinds, expected);
        assert_eq!((found.emails.len(), found.age), (1, Some(51)));
        assert_eq!(outcomes[1], Ok(None));
        assert_eq!(outcomes[2].as_ref().unwrap_err().reason, Reason::MissingAnswer);
    }
}
