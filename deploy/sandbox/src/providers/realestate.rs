//! RealEstateAPI: SkipTrace, SkipTraceBatchAwait, which answers in another order than the items were sent, and
//! SkipTraceBatch, which posts the answers to a webhook.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::{
    ledger::Ledger,
    people::{Person, hash, person_key},
    provider::{Answer, Auth, Context, Provider, Request, RequestError, Route},
    webhooks::Post,
};

pub static PROVIDER: Provider = Provider {
    name: "realestate",
    account: None,
    auth: Auth::ApiKey,
    routes: &[
        Route::post("/v1/SkipTrace", skip_trace),
        Route::post("/v1/SkipTraceBatchAwait", batch_await),
        Route::post("/v1/SkipTraceBatch", batch),
    ],
    lists: &[],
};

/// In bytes.
const MAX_BODY: usize = 256 << 10;

const IDENTIFIERS: [&str; 6] = ["first_name", "last_name", "address", "city", "state", "zip"];

fn skip_trace(request: &Request, context: &mut Context) -> Answer {
    let Value::Object(item) = traced(&request.body, context.ledger) else {
        return Err(RequestError::new(400, "address, city and state are required"));
    };
    Ok(Value::Object(item))
}

/// Accepts the batch, posts each item to its webhook afterwards, then the totals to the completion webhook.
fn batch(request: &Request, context: &mut Context) -> Answer {
    let address = |name: &str| request.body.get(name).and_then(Value::as_str).map(str::to_owned);
    let webhook = address("webhook_url").ok_or_else(|| RequestError::new(400, "webhook_url is required"))?;
    if request.raw.len() > MAX_BODY {
        return Err(RequestError::new(413, "at most 256 KB"));
    }
    let items = traced_batch(request, context.ledger)?;
    let matched = items.iter().filter(|item| item["match"] == true).count();
    let done = json!({ "processed": items.len(), "match": matched, "error": 0 });
    if !context.ledger.is_faulty() {
        // A partial answer is a part of the posts.
        let posted = request.fault.map_or(items.len(), |fault| fault.kept(items.len()));
        let posts = items.into_iter().take(posted).map(|body| Post { url: webhook.clone(), body });
        let posts = posts.chain(address("webcomplete_url").map(|url| Post { url, body: done })).collect();
        context.webhooks.send(posts, context.key);
    }
    Ok(json!({ "statusCode": 200, "statusMessage": "accepted" }))
}

fn batch_await(request: &Request, context: &mut Context) -> Answer {
    traced_batch(request, context.ledger).map(Value::Array)
}

/// The answers, ordered by a hash of their keys: not as they were sent.
fn traced_batch(request: &Request, ledger: &mut Ledger) -> Result<Vec<Value>, RequestError> {
    let skips = request.body.get("skips").and_then(Value::as_array);
    let skips = skips.ok_or_else(|| RequestError::new(400, "skips is required"))?;
    if !(10..=1000).contains(&skips.len()) {
        return Err(RequestError::new(400, "skips takes 10 to 1000 items"));
    }
    let keys: Option<HashSet<&str>> = skips.iter().map(|skip| skip.get("key")?.as_str()).collect();
    if keys.is_none_or(|keys| keys.len() != skips.len()) {
        return Err(RequestError::new(400, "every item needs a key of its own"));
    }
    let mut items: Vec<Value> = skips.iter().map(|skip| item(skip, ledger)).collect();
    items.sort_by_key(|item| hash(item["key"].as_str().unwrap_or_default()));
    Ok(items)
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
    let key = person_key(request, &IDENTIFIERS);
    let person = Person::new("realestate", &key);
    ledger.count("realestate", &key, person.found());
    if person.found() { document(request, &person) } else { json!({ "match": false, "output": null, "error": null }) }
}

fn document(request: &Value, person: &Person) -> Value {
    let input = |field: &str| request.get(field).and_then(Value::as_str).unwrap_or_default();
    let last = if input("last_name").is_empty() { "Example" } else { input("last_name") };
    let first = if input("first_name").is_empty() { person.first_name() } else { input("first_name") };
    let address = format!("{}, {}, {} {}", input("address"), input("city"), input("state"), input("zip"));
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
                "address": { "formattedAddress": address.trim(), "street": input("address"), "city": input("city"),
                             "state": input("state"), "zip": input("zip") },
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
