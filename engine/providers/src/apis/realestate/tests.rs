//! The three documented shapes, item errors, and mapping by key.

use luci_leads::PhoneKind;

use super::*;

fn query() -> TraceQuery {
    TraceQuery {
        lead_id: LeadId::generate(),
        first_name: Some("Ana".into()),
        last_name: None,
        address: "1 Main St".into(),
        city: "Albany".into(),
        state: "NY".into(),
        zip: None,
    }
}

fn nested() -> Value {
    json!({
        "match": true, "responseMessage": "ok",
        "output": {
            "identity": {
                "names": [{ "firstName": "Ana", "lastName": "Diaz", "fullName": "Ana Diaz" }],
                "phones": [
                    { "phone": "5185550101", "phoneDisplay": "(518) 555-0101", "phoneType": "mobile", "isConnected": true, "doNotCall": false },
                    { "phone": "5185550102", "phoneType": "landline", "isConnected": true, "doNotCall": true },
                    { "phone": "5185550103", "phoneType": "mobile", "isConnected": false, "doNotCall": false }
                ],
                "emails": [{ "email": "ana@mail.test", "emailType": "personal" }],
                "address": { "formattedAddress": "1 Main St, Albany, NY 12207" },
                "addressHistory": [{ "formattedAddress": "2 Elm St, Troy, NY 12180" }]
            },
            "demographics": { "age": 51, "gender": "F", "names": [] },
            "relationships": [{ "name": "Luis Diaz" }]
        }
    })
}

#[test]
fn the_nested_shape() {
    let found = outcome(&nested()).unwrap().unwrap();
    assert_eq!(found.phones.iter().map(FoundPhone::usable).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(found.phones[1].kind, PhoneKind::Landline);
    assert_eq!(found.emails, ["ana@mail.test"]);
    assert_eq!(found.addresses, ["1 Main St, Albany, NY 12207", "2 Elm St, Troy, NY 12180"]);
    assert_eq!((found.relatives, found.age), (vec!["Luis Diaz".to_owned()], Some(51)));
}

#[test]
fn the_flat_shape() {
    let item = json!({
        "input": {}, "success": true, "match_score": 0.9, "error": null,
        "output": {
            "identity": { "first_name": "Ana" },
            "phones": [{ "phone_number": "5185550101", "phone_type": "personal", "line_type": "FixedVOIP", "is_connected": true }],
            "emails": [{ "email_address": "ana@mail.test", "is_valid": true }],
            "addresses": ["1 Main St"], "relatives": ["Luis Diaz"], "demographics": { "age": "51" }
        }
    });
    let found = outcome(&item).unwrap().unwrap();
    assert_eq!((found.phones[0].kind, found.phones[0].usable()), (PhoneKind::Voip, true));
    assert_eq!((found.emails.len(), found.addresses.len(), found.age), (1, 1, Some(51)));
}

#[test]
fn the_cookbook_shape() {
    let item = json!({
        "success": true, "credits_used": 1,
        "data": { "owner_names": ["Ana Diaz"], "phones": [{ "number": "5185550101", "type": "Wireless" }],
                  "emails": [{ "email": "ana@mail.test", "type": "personal" }], "address_history": [], "age": 51 }
    });
    let found = outcome(&item).unwrap().unwrap();
    assert_eq!((found.phones[0].kind, found.age), (PhoneKind::Mobile, Some(51)));
}

#[test]
fn no_match_is_distinguished_from_an_error() {
    for item in [
        json!({ "match": false, "output": null }),
        json!({ "success": false, "output": {} }),
        json!({ "success": false, "error": "No match found" }),
        json!({ "output": { "identity": {} } }),
    ] {
        assert_eq!(outcome(&item), Ok(None), "{item}");
    }
    for (item, code) in [
        (json!({ "error": "address is missing" }), FailureCode::Validation),
        (json!({ "statusCode": 500, "error": "Internal", "message": "x" }), FailureCode::ApiError),
        (json!({ "statusCode": 403, "error": "no credits" }), FailureCode::Auth),
        (json!({ "error": { "statusCode": 429 } }), FailureCode::RateLimit),
        (json!("text"), FailureCode::ApiError),
    ] {
        assert_eq!(outcome(&item).unwrap_err().code, code, "{item}");
    }
}

#[test]
fn a_batch_is_mapped_by_key_and_never_by_position() {
    let (first, second, third) = (query(), query(), query());
    let mut found = nested();
    found["key"] = second.lead_id.to_string().into();
    let no_match = json!({ "input": { "key": first.lead_id.to_string() }, "match": false });
    let stranger = json!({ "key": "lead_x", "match": true });
    let items = json!([found, stranger, no_match]);
    for answer in [items.clone(), json!({ "results": items }), json!({ "data": items })] {
        let outcomes = by_key(&answer, &[&first, &second, &third]).unwrap();
        assert_eq!(outcomes[0], Ok(None));
        assert_eq!(outcomes[1].as_ref().unwrap().as_ref().unwrap().age, Some(51));
        assert_eq!(outcomes[2].as_ref().unwrap_err().reason, Reason::MissingAnswer);
    }
    assert_eq!(by_key(&json!({ "oops": 1 }), &[&first]).unwrap_err().reason, Reason::BadAnswer);
    assert_eq!(json!(skip(&first))["key"], first.lead_id.to_string());
}

#[test]
fn fewer_than_ten_leads_are_looked_up_one_by_one() {
    assert_eq!(
        (RealEstate::batch(1000), RealEstate::batch(250), RealEstate::batch(10), RealEstate::batch(9)),
        (250, 250, 10, 1)
    );
}
