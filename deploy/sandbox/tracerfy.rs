//! Tracerfy: queues of at least ten rows, uploaded as a form, pending for a look or two, then read.

use std::collections::BTreeMap;

use luci_schema::Micros;
use serde_json::{Map, Value, json};

use super::{
    ledger::Ledger,
    people::{Person, known_as},
    serve::{Answer, Asked, Refused},
};

const COLUMNS: [&str; 6] = ["first_name", "last_name", "address", "city", "state", "zip"];
/// Looks at a queue before it is done.
const LOOKS: u32 = 1;
/// Queues that are listed.
const PAGE: usize = 100;

#[derive(Debug)]
struct Queue {
    created_at: Micros,
    looks: u32,
    rows: Vec<Value>,
}

/// Queues by number.
#[derive(Debug, Default)]
pub struct Queues {
    queues: BTreeMap<u64, Queue>,
    /// None of them is done.
    pub pending: bool,
    uploaded: u64,
}

impl Queues {
    pub fn forget(&mut self) {
        self.queues.clear();
    }
}

pub fn trace(asked: &Asked, queues: &mut Queues, ledger: &mut Ledger) -> Answer {
    let form = form(asked).ok_or_else(|| Refused::request(400, "a multipart form is required"))?;
    let rows: Option<Vec<Value>> = form.get("json_data").and_then(|text| serde_json::from_str(text).ok());
    let rows = rows.ok_or_else(|| Refused::request(400, "json_data is required"))?;
    if rows.len() < 10 {
        return Err(Refused::request(400, "at least 10 rows are required"));
    }
    let column = |name: &str| form.get(format!("{name}_column").as_str()).cloned();
    let columns: Vec<Option<String>> = COLUMNS.iter().map(|name| column(name)).collect();
    // All but the zip code.
    if columns[..5].iter().any(Option::is_none) {
        return Err(Refused::request(400, "the columns of name and address are required"));
    }
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    let mut answers = Vec::with_capacity(rows.len());
    for row in &rows {
        let known = known_as(row, &COLUMNS);
        let answer = seen.entry(known.clone()).or_insert_with(|| answer(row, &known, ledger));
        answers.push(answer.clone());
    }
    answers.reverse();
    queues.uploaded += 1;
    let queue = queues.uploaded;
    let created_at = Micros::now();
    if !ledger.vain() {
        queues.queues.insert(queue, Queue { created_at, looks: 0, rows: answers });
    }
    Ok(json!({ "message": "queued", "queue_id": queue, "status": "pending", "created_at": created_at.rfc3339(),
               "rows_uploaded": rows.len(), "trace_type": "normal", "credits_per_lead": 1 }))
}

/// `/v1/api/queue/{id}`.
pub fn queue(asked: &Asked, queues: &mut Queues) -> Answer {
    let number: Option<u64> = asked.tail.trim_end_matches('/').parse().ok();
    let pending = queues.pending;
    let queue = number.and_then(|number| queues.queues.get_mut(&number));
    let queue = queue.ok_or_else(|| Refused::request(404, "no such queue"))?;
    queue.looks += 1;
    let done = queue.looks > LOOKS && !pending;
    Ok(if done { Value::Array(queue.rows.clone()) } else { json!({ "pending": true }) })
}

/// `/v1/api/queues/`, newest first.
pub fn list(queues: &Queues) -> Answer {
    let listed = queues.queues.iter().rev().take(PAGE).map(|(id, queue)| {
        json!({ "id": id, "created_at": queue.created_at.rfc3339(), "pending": queue.looks <= LOOKS || queues.pending,
                "download_url": null, "rows_uploaded": queue.rows.len(), "credits_deducted": queue.rows.len(),
                "queue_type": "api", "trace_type": "normal", "credits_per_lead": 1 })
    });
    Ok(listed.collect())
}

fn answer(row: &Value, known: &str, ledger: &mut Ledger) -> Value {
    let person = Person::new("tracerfy", known);
    ledger.asked("tracerfy", known, person.found());
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
fn form(asked: &Asked) -> Option<BTreeMap<String, String>> {
    let boundary = asked.content_type.split("boundary=").nth(1)?.trim_matches('"');
    let text = std::str::from_utf8(asked.raw).ok()?;
    let mut fields = BTreeMap::new();
    for part in text.split(&format!("--{boundary}")) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        let name = head.split("name=\"").nth(1)?.split('"').next()?;
        fields.insert(name.to_owned(), value.trim_end_matches("\r\n").to_owned());
    }
    Some(fields)
}
