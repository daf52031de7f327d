//! Twilio's API 2010-04-01: creates and lists Messages and Calls of an account, and says which numbers it has; and the messaging
//! services of API v1.

use std::collections::HashMap;

use serde_json::{Value, json};
use time::format_description::well_known::Rfc2822;

use super::{ACCOUNT, Carrier, CarrierRequest, Outbox, Reply, SERVICE, SHORT_CODE, TOKEN, Taken, numbers};

pub(super) const CARRIER: Carrier = Carrier { prefixes: &["/2010-04-01/", "/v1/Services/"], handler: answer };

fn answer(request: &CarrierRequest<'_>, outbox: &Outbox) -> Reply {
    if !authorised(request) {
        return (401, json!({"code": 20003, "message": "Authenticate", "status": 401}));
    }
    let below = request.path.strip_prefix("/2010-04-01/Accounts/").and_then(|rest| rest.strip_prefix(ACCOUNT));
    match (request.method.as_str(), below) {
        ("POST", Some("/Messages.json")) => create(request, outbox, "sms", "Body"),
        ("POST", Some("/Calls.json")) => create(request, outbox, "call", "Url"),
        ("GET", Some("/Messages.json")) => list(request, outbox, "sms"),
        ("GET", Some("/Calls.json")) => list(request, outbox, "call"),
        ("GET", Some("/IncomingPhoneNumbers.json")) => {
            let wanted = form(request.query.as_bytes()).remove("PhoneNumber");
            let found = numbers().filter(|number| wanted.as_ref().is_none_or(|wanted| wanted == number));
            let entry = |number: String| json!({"phone_number": number, "account_sid": ACCOUNT, "status": "in-use"});
            (200, json!({"incoming_phone_numbers": found.map(entry).collect::<Vec<_>>()}))
        }
        ("GET", Some("/SMS/ShortCodes.json")) => {
            (200, json!({"short_codes": [{"short_code": SHORT_CODE, "account_sid": ACCOUNT}]}))
        }
        ("GET", None) if request.path.strip_prefix("/v1/Services/") == Some(SERVICE) => {
            (200, json!({"sid": SERVICE, "account_sid": ACCOUNT}))
        }
        _ => (404, json!({"code": 20404, "message": "The requested resource was not found", "status": 404})),
    }
}

/// Basic authentication with the account's SID and token.
fn authorised(request: &CarrierRequest<'_>) -> bool {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{ACCOUNT}:{TOKEN}")));
    request.headers.get("authorization").is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

fn form(bytes: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

fn create(request: &CarrierRequest<'_>, outbox: &Outbox, channel: &'static str, content: &str) -> Reply {
    let mut fields = form(request.body);
    let mut of = |name: &str| fields.remove(name).unwrap_or_default();
    let (from, to, body) = (of("From"), of("To"), of(content));
    if from.is_empty() || to.is_empty() || body.is_empty() {
        return (400, json!({"code": 21604, "message": format!("From, To and {content} are required"), "status": 400}));
    }
    let (media_url, report_to) = (fields.remove("MediaUrl"), fields.remove("StatusCallback"));
    let send_digits = fields.remove("SendDigits");
    let channel = if channel == "sms" && media_url.is_some() { "mms" } else { channel };
    let id = if channel == "call" { "CA" } else { "SM" }.to_owned();
    let at = Default::default();
    let taken = Taken { provider: "twilio", channel, id, from, to, body, media_url, send_digits, report_to, at };
    let taken = outbox.take(taken);
    (201, resource(&taken))
}

fn resource(taken: &Taken) -> Value {
    json!({"sid": taken.id, "account_sid": ACCOUNT, "from": taken.from, "to": taken.to, "body": taken.body,
        "status": "queued", "num_segments": "1", "error_code": null,
        "date_created": taken.at.date_time().format(&Rfc2822).unwrap_or_default()})
}

fn list(request: &CarrierRequest<'_>, outbox: &Outbox, channel: &str) -> Reply {
    let filters = form(request.query.as_bytes());
    let is = |name: &str, value: &String| filters.get(name).is_none_or(|filter| filter == value);
    let matches = |taken: &Taken| {
        taken.provider == "twilio"
            && (taken.channel == "call") == (channel == "call")
            && is("From", &taken.from)
            && is("To", &taken.to)
    };
    let mut entries: Vec<Value> = outbox.taken().iter().filter(|taken| matches(taken)).map(resource).collect();
    entries.reverse();
    (200, if channel == "call" { json!({"calls": entries}) } else { json!({"messages": entries}) })
}
