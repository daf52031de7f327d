//! RealEstateAPI skip trace: up to 250 leads a call, each answer found again by its `key`, which is the lead's id.
//!
//! Three shapes of an answer are documented in different places and all are read: nested under `output.identity`,
//! flat under `output` with other field names, and the cookbook's under `data`.

use std::collections::HashMap;

use luci_schema::{FailureCode, LeadId, Stage};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Caller, Errand, ProviderName,
    ask::{Api, Outcome},
    fields::{flag, list, number, phone_kind, text, texts},
    send::SendError,
};
use crate::provider::{FoundPhone, Price, ProviderError, REALESTATE_MATCH, TraceMatch, TraceQuery};

const BATCH: usize = 250;
/// The provider takes no smaller batch.
pub const SMALLEST_BATCH: usize = 10;

pub struct RealEstate(Caller);

impl RealEstate {
    /// Hands a batch of ten to a thousand leads over: each item is posted to `webhook_url` when it is known (`async_item`),
    /// and their number to `complete_url` in the end. The addresses must be hard to guess: they tell whose answers those are.
    pub async fn submit(
        &self,
        errand: Errand<'_>,
        (webhook_url, complete_url): (&str, &str),
        queries: &[&TraceQuery],
    ) -> Result<(), SendError> {
        let skips: Vec<Skip<'_>> = queries.iter().map(|query| skip(query)).collect();
        let body = json!({ "webhook_url": webhook_url, "webcomplete_url": complete_url, "skips": skips });
        let url = self.0.url("/v1/SkipTraceBatch");
        let taken =
            self.0.submit(errand, |client| client.post(&url).header("x-api-key", self.0.key()).json(&body)).await;
        taken.map(drop).map_err(|error| match error {
            // RealEstateAPI says 403 when the credits are used up.
            SendError::Refused(error) if error.reason == "http_403" => {
                SendError::Refused(ProviderError { reason: "credits".into(), ..error })
            }
            error => error,
        })
    }

    async fn single(&self, errand: Errand<'_>, query: &TraceQuery) -> Outcome<TraceMatch> {
        outcome(&self.0.post("/v1/SkipTrace", errand.about(1), query).await?)
    }
}

impl Api for RealEstate {
    type Query = TraceQuery;
    type Match = TraceMatch;
    const PRICE: Price = REALESTATE_MATCH;
    const STAGE: Stage = Stage::SkipTrace;

    const PROVIDER: ProviderName = ProviderName::RealEstate;

    fn new(caller: Caller) -> Self {
        Self(caller)
    }

    fn lead(query: &TraceQuery) -> LeadId {
        query.lead_id
    }

    fn batch(left: usize) -> usize {
        if left < SMALLEST_BATCH { 1 } else { left.min(BATCH) }
    }

    async fn call(
        &self,
        errand: Errand<'_>,
        queries: &[&TraceQuery],
    ) -> Result<Vec<Outcome<TraceMatch>>, ProviderError> {
        if queries.len() < SMALLEST_BATCH {
            let mut outcomes = Vec::new();
            for query in queries {
                outcomes.push(self.single(errand, query).await);
            }
            return Ok(outcomes);
        }
        let batch = Batch { skips: queries.iter().map(|query| skip(query)).collect() };
        let answer = self.0.post("/v1/SkipTraceBatchAwait", errand, &batch).await?;
        by_key(&answer, queries)
    }
}

fn error(code: FailureCode, reason: &str) -> ProviderError {
    ProviderError::new(ProviderName::RealEstate, code, reason)
}

/// What one item says: its own error, nobody, or somebody.
fn outcome(item: &Value) -> Outcome<TraceMatch> {
    if !item.is_object() {
        return Err(error(FailureCode::ApiError, "bad_answer"));
    }
    match item.get("error").filter(|said| says_something(said)) {
        Some(said) if nobody(said) => Ok(None),
        Some(said) => Err(item_error(item, said)),
        None => Ok(trace_match(item)),
    }
}

fn item_error(item: &Value, said: &Value) -> ProviderError {
    let status = number(item, "statusCode").or_else(|| number(said, "statusCode")).unwrap_or(422);
    let (code, reason) = match status {
        401 | 403 => (FailureCode::Auth, "credits"),
        408 | 504 => (FailureCode::Timeout, "item_timeout"),
        429 => (FailureCode::RateLimit, "item_rate_limit"),
        500.. => (FailureCode::ApiError, "item_error"),
        _ => (FailureCode::Validation, "item_refused"),
    };
    let detail = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
    ProviderError { detail: Some(detail.chars().take(300).collect()), ..error(code, reason) }
}

/// Finds each lead's item by its key; an answer without one is no answer, wherever it stands.
fn by_key(answer: &Value, queries: &[&TraceQuery]) -> Result<Vec<Outcome<TraceMatch>>, ProviderError> {
    let items = answer
        .as_array()
        .or_else(|| ["results", "data", "output"].iter().find_map(|name| answer.get(name)?.as_array()))
        .ok_or_else(|| error(FailureCode::ApiError, "bad_answer"))?;
    let items: HashMap<String, &Value> = items.iter().filter_map(|item| Some((key(item)?, item))).collect();
    let of = |query: &&TraceQuery| match items.get(&query.lead_id.to_string()) {
        Some(item) => outcome(item),
        None => Err(error(FailureCode::ApiError, "missing_answer")),
    };
    Ok(queries.iter().map(of).collect())
}

/// One item that the provider posts to a webhook: whose answer it is, and what it says. Fails on one without a lead's key.
pub fn async_item(item: &Value) -> Result<(LeadId, Result<Option<TraceMatch>, ProviderError>), ProviderError> {
    let key = key(item).and_then(|key| key.parse().ok());
    let lead = key.ok_or_else(|| error(FailureCode::ApiError, "item_without_key"))?;
    Ok((lead, outcome(item)))
}

#[derive(Serialize)]
struct Batch<'a> {
    skips: Vec<Skip<'a>>,
}

/// One lead of a batch, and the key under which its answer comes back.
#[derive(Serialize)]
pub struct Skip<'a> {
    key: LeadId,
    #[serde(flatten)]
    query: &'a TraceQuery,
}

pub const fn skip(query: &TraceQuery) -> Skip<'_> {
    Skip { key: query.lead_id, query }
}

fn key(item: &Value) -> Option<String> {
    let names = &["key", "custom_id"];
    text(item, names).or_else(|| text(item.get("input")?, names))
}

fn says_something(error: &Value) -> bool {
    !matches!(error, Value::Null | Value::Bool(false)) && error.as_str() != Some("")
}

/// Some versions call a person that is not known an error.
fn nobody(error: &Value) -> bool {
    let text = error.as_str().map_or_else(|| error.to_string(), str::to_owned).to_ascii_lowercase();
    ["no match", "not found", "no record", "no result"].iter().any(|words| text.contains(words))
}

fn trace_match(item: &Value) -> Option<TraceMatch> {
    if flag(item, &["match", "success"]) == Some(false) {
        return None;
    }
    let output = ["output", "data"].iter().find_map(|name| item.get(name).filter(|o| o.is_object())).unwrap_or(item);
    let nothing = Value::Null;
    let identity = output.get("identity").unwrap_or(&nothing);
    let both = |names: &[&str]| {
        let nested = list(identity, names);
        if nested.is_empty() { list(output, names) } else { nested }
    };
    let mut addresses = texts(identity.get("address").map_or(&[], std::slice::from_ref), &["formattedAddress"]);
    addresses.extend(texts(both(&["addressHistory", "address_history", "addresses"]), ADDRESS));
    addresses.dedup();
    let age = output.get("demographics").and_then(|d| number(d, "age")).or_else(|| number(output, "age"));
    let found = TraceMatch {
        phones: both(&["phones"]).iter().filter_map(phone).collect(),
        emails: texts(both(&["emails"]), &["email", "email_address"]),
        addresses,
        relatives: texts(list(output, &["relationships", "relatives"]), &["name", "fullName", "full_name"]),
        age: age.and_then(|age| u32::try_from(age).ok()),
    };
    let said = flag(item, &["match"]) == Some(true);
    Some(found).filter(|found| said || *found != TraceMatch::default())
}

const ADDRESS: &[&str] = &["formattedAddress", "formatted_address", "full_address", "address"];

fn phone(phone: &Value) -> Option<FoundPhone> {
    Some(FoundPhone {
        number: text(phone, &["phone", "phone_number", "number", "phoneDisplay"])?,
        kind: phone_kind(text(phone, &["phoneType", "line_type", "phone_type", "type"]).as_deref()),
        do_not_call: flag(phone, &["doNotCall", "do_not_call", "dnc"]).unwrap_or(false),
        connected: flag(phone, &["isConnected", "is_connected"]),
    })
}

#[cfg(test)]
#[path = "realestate_tests.rs"]
mod tests;
