//! RealEstateAPI: SkipTrace, SkipTraceBatchAwait, whose items come back in another order than they were sent, and
//! SkipTraceBatch, which posts them.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    Post, State,
    ledger::Ledger,
    people::{Person, hash, known_as},
    serve::{Answer, Asked, Refused},
};

const LARGEST_BODY: usize = 256 << 10;

const IDENTIFIERS: [&str; 6] = ["first_name", "last_name", "address", "city", "state", "zip"];

pub fn skip_trace(request: &Value, ledger: &mut Ledger) -> Answer {
    let Value::Object(item) = traced(request, ledger) else {
        return Err(Refused::request(400, "address, city and state are required"));
    };
    Ok(Value::Object(item))
}

/// Takes the batch and posts each item to its webhook afterwards, then their number to the other one.
pub fn batch(asked: &Asked, state: &State, ledger: &mut Ledger) -> Answer {
    let request = &asked.body;
    let address = |name: &str| request.get(name).and_then(Value::as_str).map(str::to_owned);
    let webhook = address("webhook_url").ok_or_else(|| Refused::request(400, "webhook_url is required"))?;
    if asked.raw.len() > LARGEST_BODY {
        return Err(Refused::request(413, "at most 256 KB"));
    }
    let Value::Array(items) = batch_await(request, ledger)? else { return Ok(Value::Null) };
    let matched = items.iter().filter(|item| item["match"] == true).count();
    let done = json!({ "processed": items.len(), "match": matched, "error": 0 });
    if !ledger.vain() {
        // A part of the answer is a part of the posts.
        let posted = asked.fault.map_or(items.len(), |fault| fault.kept(items.len()));
        let posts = items.into_iter().take(posted).map(|body| Post { url: webhook.clone(), body });
        let posts = posts.chain(address("webcomplete_url").map(|url| Post { url, body: done })).collect();
        state.posts.send(posts, &state.options.key);
    }
    Ok(json!({ "statusCode": 200, "statusMessage": "accepted" }))
}

pub fn batch_await(request: &Value, ledger: &mut Ledger) -> Answer {
    let skips = request.get("skips").and_then(Value::as_array);
    let skips = skips.ok_or_else(|| Refused::request(400, "skips is required"))?;
    if !(10..=1000).contains(&skips.len()) {
        return Err(Refused::request(400, "skips takes 10 to 1000 items"));
    }
    let keys: Option<HashSet<&str>> = skips.iter().map(|skip| skip.get("key")?.as_str()).collect();
    if keys.is_none_or(|keys| keys.len() != skips.len()) {
        return Err(Refused::request(400, "every item needs a key of its own"));
    }
    let mut items: Vec<Value> = skips.iter().map(|skip| item(skip, ledger)).collect();
    items.sort_by_key(|item| hash(item["key"].as_str().unwrap_or_default()));
    Ok(Value::Array(items))
}

fn item(skip: &Value, ledger: &mut Ledger) -> Value {
    let mut item = match traced(skip, ledger) {
        Value::Object(item) => item,
        _ => Map::from_iter([("match".into(), false.into()), ("error".into(), "address is incomplete".into())]),
    };
    item.insert("key".into(), skip["key"].clone());
    item.insert("input".into(), skip.clone());
    Value::Object(item)
}

/// `null` for a request that cannot be traced.
fn traced(request: &Value, ledger: &mut Ledger) -> Value {
    let has = |field: &str| request.get(field).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    let complete = ["address", "city", "state"].into_iter().all(has) && (has("first_name") || has("last_name"));
    if !complete {
        return Value::Null;
    }
    let known = known_as(request, &IDENTIFIERS);
    let person = Person::new("realestate", &known);
    ledger.asked("realestate", &known, person.found());
    if person.found() { document(request, &person) } else { json!({ "match": false, "output": null, "error": null }) }
}

fn document(request: &Value, person: &Person) -> Value {
    let asked = |field: &str| request.get(field).and_then(Value::as_str).unwrap_or_default();
    let last = if asked("last_name").is_empty() { "Example" } else { asked("last_name") };
    let first = if asked("first_name").is_empty() { person.first_name() } else { asked("first_name") };
    let address = format!("{}, {}, {} {}", asked("address"), asked("city"), asked("state"), asked("zip"));
    let emails = if person.draw("mail", 100) < 60 {
        json!([{ "email": person.email(), "emailType": "personal" }])
    } else {
        json!([])
    };
    json!({
        "match": true, "responseMessage": "Successful", "error": null,
        "output": {
            "identity": {
                "names": [{ "firstName": first, "lastName": last, "fullName": format!("{first} {last}") }],
                "phones": phones(person), "emails": emails,
                "address": { "formattedAddress": address.trim(), "street": asked("address"), "city": asked("city"),
                             "state": asked("state"), "zip": asked("zip") },
                "addressHistory": [],
            },
            "demographics": { "age": 25 + person.draw("age", 60), "gender": "U", "names": [] },
            "relationships": [{ "name": format!("{} {last}", person.pick("relative", &["Sam", "Kim", "Alex"])) }],
        },
    })
}

fn phones(person: &Person) -> Value {
    if !person.has_phone() {
        return json!([]);
    }
    let phone = |nth: u64| {
        let number = person.number(nth);
        json!({
            "phone": number,
            "phoneDisplay": format!("({}) {}-{}", &number[..3], &number[3..6], &number[6..]),
            "phoneType": person.pick(&format!("kind{nth}"), &["mobile", "mobile", "mobile", "landline", "voip"]),
            "isConnected": person.draw(&format!("connected{nth}"), 100) < 93,
            "doNotCall": person.draw(&format!("dnc{nth}"), 100) < 8,
        })
    };
    (0..=person.draw("phones", 3)).map(phone).collect()
}
