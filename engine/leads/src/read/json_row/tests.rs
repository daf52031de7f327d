//! Leads as an API call gives them, whole and wrong.

use serde_json::json;

use super::*;
use crate::{lead::Warning, lead_id};

fn read_json(json: Value) -> Result<Lead, FieldErrors> {
    read(Lead::bare(lead_id("import_x", 1), 1, 0), &json)
}

#[test]
fn a_lead_is_normalised_like_the_row_of_a_file() {
    let lead = read_json(json!({
        "companyName": " Acme, Inc. ", "contactName": "Ann van Dyke", "title": "Owner", "email": "ANN@Acme.com",
        "phones": [{"number": "(212) 555-0147", "kind": "landline"}, {"number": "12"},
                   {"number": "917 555 0101", "kind": "mobile"}, {"number": "8005550100"}],
        "address": {"street": "12 Main St", "city": "New York", "state": "new york", "zip": "10001-1234"},
        "mailing": {"zip": 7030}, "sicCode": 711, "employees": {"low": 5, "high": 9}, "revenue": "$1.5M",
        "yearEstablished": 1987, "household": {"homeOwner": true, "income": 90000}, "extra": {"Shoe": "44"},
        "website": null
    }))
    .unwrap();
    let numbers: Vec<_> = lead.phones.iter().map(|p| (p.number.as_str(), p.kind, p.source.as_str())).collect();
    let expected = [
        ("+12125550147", PhoneKind::Landline, "api"),
        ("+19175550101", PhoneKind::Mobile, "api"),
        ("+18005550100", PhoneKind::TollFree, "api"),
    ];
    assert_eq!(numbers, expected);
    assert_eq!(lead.warnings, [Warning::InvalidPhone]);
    assert_eq!((lead.who.first_name.as_deref(), lead.who.email.as_deref()), (Some("Ann"), Some("ann@acme.com")));
    let address = lead.address.as_ref().unwrap();
    assert_eq!((address.state.as_deref(), address.zip4.as_deref()), (Some("NY"), Some("1234")));
    assert_eq!(lead.mailing.as_ref().unwrap().zip.as_deref(), Some("07030"));
    assert_eq!((lead.firm.sic_code.as_deref(), lead.firm.year_established), (Some("0711"), Some(1987)));
    assert_eq!((lead.firm.employees.unwrap().low, lead.firm.revenue.unwrap().midpoint()), (5, 1_500_000));
    assert_eq!((lead.household.home_owner, lead.household.income.unwrap().high), (Some(true), 90_000));
    assert_eq!((&lead.extra["Shoe"][..], lead.raw.is_empty()), ("44", true));
}

#[test]
fn one_valid_number_is_enough_in_any_position() {
    let list = [json!({"number": "1"}), json!({"number": "2"}), json!({"number": "2125550147"})];
    let lead = read_json(json!({"companyName": "Acme", "phone": "3", "phones": list})).unwrap();
    assert_eq!(lead.phones.len(), 1);
}

#[test]
fn numbers_without_country_code_are_of_the_country_that_the_lead_names() {
    let numbers = |country: Option<&str>, numbers: &[&str]| {
        let list: Vec<_> = numbers.iter().map(|number| json!({"number": number})).collect();
        let mut lead = json!({"companyName": "Acme", "email": "a@acme.com", "phones": list});
        if let Some(country) = country {
            lead["address"] = json!({"city": "Leeds", "country": country});
        }
        let lead = read_json(lead).unwrap();
        lead.phones.into_iter().map(|phone| phone.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(Some("GB"), &["797-555-0147"]), ["+447975550147"]);
    assert_eq!(numbers(Some("Narnia"), &["797-555-0147", "+39 055 123 4567"]), ["+390551234567"]);
    assert_eq!(numbers(None, &["+44 20 7946 0958", "797-555-0147"]), ["+442079460958"]);
    assert_eq!(numbers(None, &["797-555-0147"]), ["+17975550147"]);
}

#[test]
fn all_wrong_fields_are_named() {
    let acme = |more: Value| {
        let mut lead = json!({"companyName": "Acme", "phone": "2125550147"});
        lead.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        lead
    };
    let many: Vec<Value> = (0..11).map(|n| json!({"number": format!("212555010{n}")})).collect();
    for (json, fields) in [
        (json!([]), vec![""]),
        (json!({}), vec!["companyName"]),
        (json!({"companyName": "Acme"}), vec!["phone"]),
        (json!({"companyName": "Acme", "phones": [{"number": "12"}]}), vec!["phone"]),
        (json!({"companyName": "Acme", "email": "none@acme.com"}), vec!["email"]),
        (
            json!({"companyName": "Acme", "address": {"street": "1 A", "city": "B", "state": "ZZ"}}),
            vec!["address.state"],
        ),
        (acme(json!({"leadId": "x", "seniority": "owner"})), vec!["leadId", "seniority"]),
        (acme(json!({"address": "1 Main St"})), vec!["address"]),
        (acme(json!({"address": {"town": "X", "city": ["Y"]}})), vec!["address.city", "address.town"]),
        (acme(json!({"title": "x".repeat(2_001)})), vec!["title"]),
        (acme(json!({"title": "a\0b"})), vec!["title"]),
        (acme(json!({"employees": {"low": 5}})), vec!["employees"]),
        (acme(json!({"phones": {}})), vec!["phones"]),
        (acme(json!({"phones": many})), vec!["phones"]),
        (acme(json!({"phones": ["2125550147"]})), vec!["phones[0]"]),
        (acme(json!({"phones": [{"kind": "fax", "number": "2125550147"}]})), vec!["phones[0].kind"]),
        (acme(json!({"phones": [{"nummer": "1"}]})), vec!["phones[0].number", "phones[0].nummer"]),
        (acme(json!({"extra": {"a": ["b"]}})), vec!["extra.a"]),
    ] {
        let errors = read_json(json.clone()).unwrap_err();
        let mut named: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
        named.sort_unstable();
        assert_eq!(named, fields, "{json}");
    }
}

#[test]
fn a_number_is_kept_exactly_or_refused() {
    let field = |path: &str, value: Value| {
        let mut lead = json!({"companyName": "Acme", "phone": "2125550147", "household": {}, "extra": {}});
        match path.split_once('.') {
            Some((object, name)) => lead[object][name] = value,
            None => lead[path] = value,
        }
        read_json(lead).map(|_| ()).map_err(|errors| errors.into_iter().map(|(field, _)| field).collect::<Vec<_>>())
    };
    for (path, value) in [
        ("household.equity", json!(-2_500_000)),
        ("household.equity", json!("-2500000")),
        ("household.equity", json!("($5,000)")),
        ("household.income", json!(1.5)),
        ("revenue", json!(1e20)),
        ("employees", json!("99999999999999999999")),
        ("employees", json!({"low": -1, "high": 4})),
        ("extra.rate", json!(0.123_456_789_012_345_67)),
        ("extra.rate", json!(1e-7)),
    ] {
        assert_eq!(field(path, value.clone()), Err(vec![path.to_owned()]), "{value}");
    }
    for (path, value) in [
        ("household.equity", json!(2_500_000)),
        ("household.equity", json!("$2.5M")),
        ("employees", json!("n/a")),
        ("extra.rate", json!(-7)),
        ("extra.rate", json!(0.1)),
        ("extra.rate", json!("0.10")),
    ] {
        assert_eq!(field(path, value.clone()), Ok(()), "{value}");
    }
}
