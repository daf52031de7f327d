//! Twilio: Messages and Calls of an account (2010-04-01), made and listed.

use std::collections::HashMap;

use serde_json::{Value, json};
use time::format_description::well_known::Rfc2822;

use super::carriers::{ACCOUNT, Asked, Said, State, TOKEN, Taken};

pub fn answer(state: &State, asked: &Asked<'_>) -> Said {
    if !authorised(asked) {
        return (401, json!({"code": 20003, "message": "Authenticate", "status": 401}));
    }
    let below = asked.path.strip_prefix("/2010-04-01/Accounts/").and_then(|rest| rest.strip_prefix(ACCOUNT));
    match (asked.method.as_str(), below) {
        ("POST", Some("/Messages.json")) => make(state, asked, "sms", "Body"),
        ("POST", Some("/Calls.json")) => make(state, asked, "call", "Url"),
        ("GET", Some("/Messages.json")) => list(state, asked, "sms"),
        ("GET", Some("/Calls.json")) => list(state, asked, "call"),
        _ => (404, json!({"code": 20404, "message": "The requested resource was not found", "status": 404})),
    }
}

/// Basic, of the account's SID and its token.
fn authorised(asked: &Asked<'_>) -> bool {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{ACCOUNT}:{TOKEN}")));
    asked.headers.get("authorization").is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

fn form(bytes: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

fn make(state: &State, asked: &Asked<'_>, channel: &'static str, words: &str) -> Said {
    let mut fields = form(asked.body);
    let mut of = |name: &str| fields.remove(name).unwrap_or_default();
    let (from, to, body) = (of("From"), of("To"), of(words));
    if from.is_empty() || to.is_empty() || body.is_empty() {
        return (400, json!({"code": 21604, "message": format!("From, To and {words} are required"), "status": 400}));
    }
    let (media_url, report_to) = (fields.remove("MediaUrl"), fields.remove("StatusCallback"));
    let channel = if channel == "sms" && media_url.is_some() { "mms" } else { channel };
    let id = if channel == "call" { "CA" } else { "SM" }.to_owned();
    let at = Default::default();
    let taken = state.take(Taken { provider: "twilio", channel, id, from, to, body, media_url, report_to, at });
    (201, shape(&taken))
}

fn shape(taken: &Taken) -> Value {
    json!({"sid": taken.id, "account_sid": ACCOUNT, "from": taken.from, "to": taken.to, "body": taken.body,
        "status": "queued", "num_segments": "1", "error_code": null,
        "date_created": taken.at.date_time().format(&Rfc2822).unwrap_or_default()})
}

fn list(state: &State, asked: &Asked<'_>, channel: &str) -> Said {
    let wanted = form(asked.query.as_bytes());
    let is = |name: &str, value: &String| wanted.get(name).is_none_or(|wanted| wanted == value);
    let ours = |taken: &Taken| {
        taken.provider == "twilio"
            && (taken.channel == "call") == (channel == "call")
            && is("From", &taken.from)
            && is("To", &taken.to)
    };
    let mut entries: Vec<Value> = state.taken().iter().filter(|taken| ours(taken)).map(shape).collect();
    entries.reverse();
    (200, if channel == "call" { json!({"calls": entries}) } else { json!({"messages": entries}) })
}
