//! Twilio Lookup: whether a phone number is valid, and its line type. Twilio's messages and calls are a carrier's.

use serde_json::{Value, json};

use crate::{
    people::Person,
    provider::{Answer, Auth, Context, Provider, Request, RequestError, Route},
};

pub static PROVIDER: Provider = Provider {
    name: "twilio",
    account: Some("sandbox"),
    auth: Auth::Basic,
    routes: &[Route::get("/v2/PhoneNumbers/", lookup)],
    lists: &[],
};

/// `/v2/PhoneNumbers/{E.164}`.
fn lookup(request: &Request, context: &mut Context) -> Answer {
    let number = request.tail.replace("%2B", "+");
    if !number.starts_with('+') {
        return Err(RequestError::new(404, "no E.164 number"));
    }
    let person = Person::new("twilio", &number);
    context.ledger.count("twilio", &number, true);
    let line = match request.query.get("Fields").map(String::as_str) {
        Some("line_type_intelligence") => json!({ "carrier_name": "Example", "error_code": null,
            "type": person.pick("line", &["mobile", "mobile", "landline", "fixedVoip", "nonFixedVoip", "tollFree"]) }),
        _ => Value::Null,
    };
    Ok(json!({ "phone_number": number, "country_code": "US", "valid": person.draw("valid", 100) < 95,
               "line_type_intelligence": line }))
}
