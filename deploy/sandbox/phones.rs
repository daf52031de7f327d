//! Trestle's phone_intel and real_contact, and Twilio's lookup: what a number is.

use serde_json::{Value, json};

use super::{
    ledger::Ledger,
    people::Person,
    serve::{Answer, Asked, Refused},
};

const LINES: [&str; 5] = ["Mobile", "Mobile", "Landline", "FixedVOIP", "NonFixedVOIP"];

fn number(asked: &Asked) -> Result<String, Refused> {
    let number = asked.query.get("phone").filter(|number| number.chars().filter(char::is_ascii_digit).count() >= 10);
    number.cloned().ok_or_else(|| Refused::request(400, "phone is required"))
}

pub fn phone_intel(asked: &Asked, ledger: &mut Ledger) -> Answer {
    let number = number(asked)?;
    let person = Person::new("trestle", &number);
    ledger.asked("trestle", &number, true);
    let valid = person.draw("valid", 100) < 95;
    Ok(json!({
        "id": format!("Phone.{:016x}", person.draw("id", u64::MAX)), "phone_number": number, "is_valid": valid,
        "activity_score": person.draw("activity", 101), "line_type": person.pick("line", &LINES), "carrier": "Example",
        "is_prepaid": false, "country_calling_code": "1", "error": null, "warnings": [],
        "add_ons": { "litigator_checks": { "phone.is_litigator_risk": person.draw("litigator", 100) < 3 } },
    }))
}

pub fn real_contact(asked: &Asked, ledger: &mut Ledger) -> Answer {
    let number = number(asked)?;
    if !asked.query.contains_key("name") {
        return Err(Refused::request(400, "name is required"));
    }
    let person = Person::new("trestle", &number);
    ledger.asked("trestle", &number, true);
    Ok(json!({
        "phone.is_valid": person.draw("valid", 100) < 95, "phone.activity_score": person.draw("activity", 101),
        "phone.line_type": person.pick("line", &LINES), "phone.name_match": person.draw("name", 100) < 80,
        "phone.contact_grade": person.pick("grade", &["A", "B", "C", "D", "F"]), "error": null, "warnings": [],
    }))
}

/// `/v2/PhoneNumbers/{E.164}`.
pub fn lookup(asked: &Asked, ledger: &mut Ledger) -> Answer {
    let number = asked.tail.replace("%2B", "+");
    if !number.starts_with('+') {
        return Err(Refused::request(404, "no E.164 number"));
    }
    let person = Person::new("twilio", &number);
    ledger.asked("twilio", &number, true);
    let line = match asked.query.get("Fields").map(String::as_str) {
        Some("line_type_intelligence") => json!({ "carrier_name": "Example", "error_code": null,
            "type": person.pick("line", &["mobile", "mobile", "landline", "fixedVoip", "nonFixedVoip", "tollFree"]) }),
        _ => Value::Null,
    };
    Ok(json!({ "phone_number": number, "country_code": "US", "valid": person.draw("valid", 100) < 95,
               "line_type_intelligence": line }))
}
