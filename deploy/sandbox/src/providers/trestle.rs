//! Trestle: phone_intel and real_contact, which say whether a number is valid and who uses it.

use serde_json::json;

use crate::{
    people::Person,
    provider::{Answer, Auth, Context, Provider, Request, RequestError, Route},
};

pub static PROVIDER: Provider = Provider {
    name: "trestle",
    account: None,
    auth: Auth::ApiKey,
    routes: &[Route::get("/3.0/phone_intel", phone_intel), Route::get("/1.1/real_contact", real_contact)],
    lists: &[],
};

const LINES: [&str; 5] = ["Mobile", "Mobile", "Landline", "FixedVOIP", "NonFixedVOIP"];

fn number(request: &Request) -> Result<String, RequestError> {
    let number = request.query.get("phone").filter(|number| number.chars().filter(char::is_ascii_digit).count() >= 10);
    number.cloned().ok_or_else(|| RequestError::new(400, "phone is required"))
}

fn phone_intel(request: &Request, context: &mut Context) -> Answer {
    let number = number(request)?;
    let person = Person::new("trestle", &number);
    context.ledger.count("trestle", &number, true);
    let valid = person.draw("valid", 100) < 95;
    Ok(json!({
        "id": format!("Phone.{:016x}", person.draw("id", u64::MAX)), "phone_number": number, "is_valid": valid,
        "activity_score": person.draw("activity", 101), "line_type": person.pick("line", &LINES), "carrier": "Example",
        "is_prepaid": false, "country_calling_code": "1", "error": null, "warnings": [],
        "add_ons": { "litigator_checks": { "phone.is_litigator_risk": person.draw("litigator", 100) < 3 } },
    }))
}

fn real_contact(request: &Request, context: &mut Context) -> Answer {
    let number = number(request)?;
    if !request.query.contains_key("name") {
        return Err(RequestError::new(400, "name is required"));
    }
    let person = Person::new("trestle", &number);
    context.ledger.count("trestle", &number, true);
    Ok(json!({
        "phone.is_valid": person.draw("valid", 100) < 95, "phone.activity_score": person.draw("activity", 101),
        "phone.line_type": person.pick("line", &LINES), "phone.name_match": person.draw("name", 100) < 80,
        "phone.contact_grade": person.pick("grade", &["A", "B", "C", "D", "F"]), "error": null, "warnings": [],
    }))
}
