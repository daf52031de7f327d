//! Tracerfy: at least ten rows are uploaded as a form into a queue, which is polled until it is done.

use std::collections::BTreeMap;

use luci_schema::Micros;
use serde_json::{Map, Value, json};

use crate::{
    ledger::Ledger,
    people::{Person, person_key},
    provider::{Answer, Auth, Context, Provider, Request, RequestError, Route},
    queues::Poll,
};

pub static PROVIDER: Provider = Provider {
    name: "tracerfy",
    account: None,
    auth: Auth::Bearer,
    routes: &[
        Route::post("/v1/api/trace/", trace),
        Route::get("/v1/api/queue/", queue),
        Route::get("/v1/api/queues/", list),
    ],
    lists: &[],
};

const COLUMNS: [&str; 6] = ["first_name", "last_name", "address", "city", "state", "zip"];
/// Rows that an upload needs at least.
const MIN_ROWS: usize = 10;
/// Queues that are listed.
const PAGE: usize = 100;

fn trace(request: &Request, context: &mut Context) -> Answer {
    let form = form(request).ok_or_else(|| RequestError::new(400, "a multipart form is required"))?;
    let rows: Option<Vec<Value>> = form.get("json_data").and_then(|text| serde_json::from_str(text).ok());
    let rows = rows.ok_or_else(|| RequestError::new(400, "json_data is required"))?;
    if rows.len() < MIN_ROWS {
        return Err(RequestError::new(400, "at least 10 rows are required"));
    }
    let column = |name: &str| form.get(format!("{name}_column").as_str()).cloned();
    let columns: Vec<Option<String>> = COLUMNS.iter().map(|name| column(name)).collect();
    // All but the zip code.
    if columns[..5].iter().any(Option::is_none) {
        return Err(RequestError::new(400, "the columns of name and address are required"));
    }
    // A person is looked up, and billed, once an upload.
    let mut by_person: BTreeMap<String, Value> = BTreeMap::new();
    let mut answers = Vec::with_capacity(rows.len());
    for row in &rows {
        let key = person_key(row, &COLUMNS);
        let answer = by_person.entry(key.clone()).or_insert_with(|| answer(row, &key, context.ledger));
        answers.push(answer.clone());
    }
    // Answers come in another order than the rows.
    answers.reverse();
    let (number, created_at) = (context.queues.next_number(), Micros::now());
    if !context.ledger.is_faulty() {
        context.queues.insert(number, created_at, answers);
    }
    Ok(json!({ "message": "queued", "queue_id": number, "status": "pending", "created_at": created_at.rfc3339(),
               "rows_uploaded": rows.len(), "trace_type": "normal", "credits_per_lead": 1 }))
}

/// `/v1/api/queue/{id}`.
fn queue(request: &Request, context: &mut Context) -> Answer {
    let unknown = || RequestError::new(404, "no such queue");
    let number: u64 = request.tail.trim_end_matches('/').parse().map_err(|_| unknown())?;
    match context.queues.poll(number).ok_or_else(unknown)? {
        Poll::Done(rows) => Ok(Value::Array(rows.to_vec())),
        Poll::Pending => Ok(json!({ "pending": true })),
    }
}

/// `/v1/api/queues/`, newest first.
fn list(_request: &Request, context: &mut Context) -> Answer {
    let listed = context.queues.newest().take(PAGE).map(|(number, queue, pending)| {
        json!({ "id": number, "created_at": queue.created_at.rfc3339(), "pending": pending, "download_url": null,
                "rows_uploaded": queue.rows.len(), "credits_deducted": queue.rows.len(), "queue_type": "api",
                "trace_type": "normal", "credits_per_lead": 1 })
    });
    Ok(listed.collect())
}

fn answer(row: &Value, key: &str, ledger: &mut Ledger) -> Value {
    let person = Person::new("tracerfy", key);
    ledger.count("tracerfy", key, person.found());
    let mut answer: Map<String, Value> =
        COLUMNS.iter().map(|name| ((*name).to_owned(), row.get(*name).cloned().unwrap_or(Value::Null))).collect();
    let found = |text: String| if person.found() { text } else { String::new() };
    answer.insert("primary_phone".into(), found(person.number(0)).into());
    answer.insert("primary_phone_type".into(), found("Mobile".into()).into());
    answer.insert("mobile_1".into(), found(person.number(0)).into());
    answer.insert("landline_1".into(), found(person.number(1)).into());
    answer.insert("email_1".into(), found(person.email()).into());
    Value::Object(answer)
}

/// The text fields of a multipart form.
fn form(request: &Request) -> Option<BTreeMap<String, String>> {
    let boundary = request.content_type.split("boundary=").nth(1)?.trim_matches('"');
    let text = std::str::from_utf8(request.raw).ok()?;
    let mut fields = BTreeMap::new();
    for part in text.split(&format!("--{boundary}")) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        let name = head.split("name=\"").nth(1)?.split('"').next()?;
        fields.insert(name.to_owned(), value.trim_end_matches("\r\n").to_owned());
    }
    Some(fields)
}
