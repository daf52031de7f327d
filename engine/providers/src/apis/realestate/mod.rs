//! RealEstateAPI skip trace: up to 250 leads a call; answers are matched by their `key`, which is the lead's id.
//!
//! The documentation shows three shapes of an answer and all are read: nested under `output.identity`,
//! flat under `output` with other field names, and the cookbook's under `data`.

use std::collections::HashMap;

use luci_leads::enrich::{
    found::{FoundPhone, TraceMatch},
    query::TraceQuery,
};
use luci_schema::{FailureCode, LeadId, Stage};
use reqwest::Client;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    call::{Caller, Charge},
    descriptor::{Descriptor, Limits, env_names},
    error::ProviderError,
    fields::{flag, list, number, phone_kind, text, texts},
    lookup_api::{LookupApi, LookupOutcome},
    name::ProviderName,
    price::Price,
    provider::{BatchLimits, Capabilities, Lookup, Provider},
    reason::Reason,
    send::SendError,
};

const NAME: &str = "realestate";
const MATCH_PRICE: Price = Price { provider: NAME, unit: "match", micros: 100_000 };

static DESCRIPTOR: Descriptor = Descriptor {
    default_limits: Limits { tenant_per_day: Some(2_000), ..Limits::NONE },
    out_of_credits: Some(403),
    ..Descriptor::new(NAME, env_names!("REALESTATE"), "https://api.realestateapi.com")
};

impl ProviderName {
    pub const REALESTATE: Self = Self::new(&DESCRIPTOR);
}

pub static PROVIDER: Provider = Provider {
    name: ProviderName::REALESTATE,
    capabilities: Capabilities {
        skip_trace: Some(Lookup::of::<RealEstate>()),
        async_batches: Some(BATCH_LIMITS),
        ..Capabilities::NONE
    },
};

/// Of `/v1/SkipTraceBatch`; the body leaves 2 KiB for the two addresses.
pub const BATCH_LIMITS: BatchLimits =
    BatchLimits { min_leads: SMALLEST_BATCH, max_leads: 1_000, max_body_bytes: (256 << 10) - 2_048 };

const BATCH: usize = 250;
/// The provider refuses smaller batches.
const SMALLEST_BATCH: usize = 10;

pub struct RealEstate(Caller);

impl RealEstate {
    /// Submits a batch within `BATCH_LIMITS`: the provider posts each item to `webhook_url` (see `async_item`), and in the end
    /// their number to `complete_url`. The addresses must be hard to guess: they identify the batch.
    pub async fn submit(
        &self,
        charge: Charge<'_>,
        (webhook_url, complete_url): (&str, &str),
        queries: &[&TraceQuery],
    ) -> Result<(), SendError> {
        let skips: Vec<Skip<'_>> = queries.iter().map(|query| skip(query)).collect();
        let body = json!({ "webhook_url": webhook_url, "webcomplete_url": complete_url, "skips": skips });
        let url = self.0.url("/v1/SkipTraceBatch");
        let post = |client: &Client| client.post(&url).header("x-api-key", self.0.key()).json(&body);
        self.0.submit(charge, post).await.map(drop)
    }

    async fn single(&self, charge: Charge<'_>, query: &TraceQuery) -> LookupOutcome<TraceMatch> {
        outcome(&self.0.post("/v1/SkipTrace", charge.for_people(1), query).await?)
    }
}

impl LookupApi for RealEstate {
    type Query = TraceQuery;
    type Match = TraceMatch;
    const PRICE: Price = MATCH_PRICE;
    const STAGE: Stage = Stage::SkipTrace;

    const PROVIDER: ProviderName = ProviderName::REALESTATE;

    fn new(caller: Caller) -> Self {
        Self(caller)
    }

    fn lead(query: &TraceQuery) -> LeadId {
        query.lead_id
    }

    fn batch(remaining: usize) -> usize {
        if remaining < SMALLEST_BATCH { 1 } else { remaining.min(BATCH) }
    }

    async fn call(
        &self,
        charge: Charge<'_>,
        queries: &[&TraceQuery],
    ) -> Result<Vec<LookupOutcome<TraceMatch>>, ProviderError> {
        if queries.len() < SMALLEST_BATCH {
            let mut outcomes = Vec::new();
            for query in queries {
                outcomes.push(self.single(charge, query).await);
            }
            return Ok(outcomes);
        }
        let batch = Batch { skips: queries.iter().map(|query| skip(query)).collect() };
        let answer = self.0.post("/v1/SkipTraceBatchAwait", charge, &batch).await?;
        by_key(&answer, queries)
    }
}

fn error(code: FailureCode, reason: Reason) -> ProviderError {
    ProviderError::new(ProviderName::REALESTATE, code, reason)
}

/// Reads one item: its own error, no match, or a match.
fn outcome(item: &Value) -> LookupOutcome<TraceMatch> {
    if !item.is_object() {
        return Err(error(FailureCode::ApiError, Reason::BadAnswer));
    }
    match item.get("error").filter(|error| is_error(error)) {
        Some(error) if is_no_match(error) => Ok(None),
        Some(error) => Err(item_error(item, error)),
        None => Ok(trace_match(item)),
    }
}

fn item_error(item: &Value, cause: &Value) -> ProviderError {
    let status = number(item, "statusCode").or_else(|| number(cause, "statusCode")).unwrap_or(422);
    let (code, reason) = match status {
        401 | 403 => (FailureCode::Auth, Reason::Credits),
        408 | 504 => (FailureCode::Timeout, Reason::ItemTimeout),
        429 => (FailureCode::RateLimit, Reason::ItemRateLimit),
        500.. => (FailureCode::ApiError, Reason::ItemError),
        _ => (FailureCode::Validation, Reason::ItemRefused),
    };
    let detail = cause.as_str().map_or_else(|| cause.to_string(), str::to_owned);
    ProviderError { detail: Some(detail.chars().take(300).collect()), ..error(code, reason) }
}

/// Matches items by key, never by position; a lead without an item has no answer.
fn by_key(answer: &Value, queries: &[&TraceQuery]) -> Result<Vec<LookupOutcome<TraceMatch>>, ProviderError> {
    let items = answer
        .as_array()
        .or_else(|| ["results", "data", "output"].iter().find_map(|name| answer.get(name)?.as_array()))
        .ok_or_else(|| error(FailureCode::ApiError, Reason::BadAnswer))?;
    let items: HashMap<String, &Value> = items.iter().filter_map(|item| Some((key(item)?, item))).collect();
    let of = |query: &&TraceQuery| match items.get(&query.lead_id.to_string()) {
        Some(item) => outcome(item),
        None => Err(error(FailureCode::ApiError, Reason::MissingAnswer)),
    };
    Ok(queries.iter().map(of).collect())
}

/// One item posted to a webhook: the lead and its answer. Fails on an item without a lead's key.
pub fn async_item(item: &Value) -> Result<(LeadId, Result<Option<TraceMatch>, ProviderError>), ProviderError> {
    let key = key(item).and_then(|key| key.parse().ok());
    let lead = key.ok_or_else(|| error(FailureCode::ApiError, Reason::ItemWithoutKey))?;
    Ok((lead, outcome(item)))
}

#[derive(Serialize)]
struct Batch<'a> {
    skips: Vec<Skip<'a>>,
}

/// One lead of a batch; its answer has the same key.
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

fn is_error(error: &Value) -> bool {
    !matches!(error, Value::Null | Value::Bool(false)) && error.as_str() != Some("")
}

/// Some versions of the API report an unknown person as an error.
fn is_no_match(error: &Value) -> bool {
    let text = error.as_str().map_or_else(|| error.to_string(), str::to_owned).to_ascii_lowercase();
    ["no match", "not found", "no record", "no result"].iter().any(|phrase| text.contains(phrase))
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
    let matched = flag(item, &["match"]) == Some(true);
    Some(found).filter(|found| matched || *found != TraceMatch::default())
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
mod tests;
