//! The HTTP side of the sandbox: keys, delays and faults first, then the provider's own answer.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::Filter;

use super::{Fault, State, apollo, ledger::Ledger, phones, realestate, tracerfy};

/// Why a provider does not work on a request.
pub struct Refused {
    status: u16,
    message: &'static str,
}

impl Refused {
    pub const fn request(status: u16, message: &'static str) -> Self {
        Self { status, message }
    }
}

pub type Answer = Result<Value, Refused>;

/// A request as its provider reads it.
pub struct Asked<'a> {
    /// `null` when the body is no JSON.
    pub body: Value,
    pub raw: &'a [u8],
    pub content_type: &'a str,
    pub query: BTreeMap<String, String>,
    /// What follows the path of the call.
    pub tail: &'a str,
    /// What the call meets.
    pub fault: Option<Fault>,
}

type Work = fn(&State, &Asked, &mut Ledger) -> Answer;

/// How a provider is told who calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Auth {
    ApiKey,
    Bearer,
    Basic,
}

/// A call that can be made.
struct Call {
    method: Method,
    /// One that ends with `/` takes what follows.
    path: &'static str,
    provider: &'static str,
    auth: Auth,
    work: Work,
}

const fn call(method: Method, path: &'static str, provider: &'static str, auth: Auth, work: Work) -> Call {
    Call { method, path, provider, auth, work }
}

static CALLS: [Call; 13] = [
    call(Method::POST, "/api/v1/people/match", "apollo", Auth::ApiKey, |_, a, l| apollo::people_match(&a.body, l)),
    call(Method::POST, "/api/v1/people/bulk_match", "apollo", Auth::ApiKey, |_, a, l| apollo::bulk_match(&a.body, l)),
    call(Method::POST, "/api/v1/organizations/enrich", "apollo", Auth::ApiKey, |_, a, l| apollo::company(&a.body, l)),
    call(Method::POST, "/api/v1/organizations/bulk_enrich", "apollo", Auth::ApiKey, |_, a, l| {
        apollo::companies(&a.body, l)
    }),
    call(Method::POST, "/v1/SkipTrace", "realestate", Auth::ApiKey, |_, a, l| realestate::skip_trace(&a.body, l)),
    call(Method::POST, "/v1/SkipTraceBatchAwait", "realestate", Auth::ApiKey, |_, a, l| {
        realestate::batch_await(&a.body, l)
    }),
    call(Method::POST, "/v1/SkipTraceBatch", "realestate", Auth::ApiKey, |s, a, l| realestate::batch(a, s, l)),
    call(Method::POST, "/v1/api/trace/", "tracerfy", Auth::Bearer, |s, a, l| tracerfy::trace(a, &mut s.queues(), l)),
    call(Method::GET, "/v1/api/queue/", "tracerfy", Auth::Bearer, |s, a, _| tracerfy::queue(a, &mut s.queues())),
    call(Method::GET, "/v1/api/queues/", "tracerfy", Auth::Bearer, |s, _, _| tracerfy::list(&s.queues())),
    call(Method::GET, "/3.0/phone_intel", "trestle", Auth::ApiKey, |_, a, l| phones::phone_intel(a, l)),
    call(Method::GET, "/1.1/real_contact", "trestle", Auth::ApiKey, |_, a, l| phones::real_contact(a, l)),
    call(Method::GET, "/v2/PhoneNumbers/", "twilio", Auth::Basic, |_, a, l| phones::lookup(a, l)),
];

impl Call {
    fn of(path: &str) -> Option<(&'static Self, &str)> {
        CALLS.iter().find_map(|call| {
            let tail = path.strip_prefix(call.path)?;
            (tail.is_empty() || call.path.ends_with('/')).then_some((call, tail))
        })
    }

    fn authorised(&self, key: &str, headers: &HeaderMap) -> bool {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match self.auth {
            Auth::ApiKey => header("x-api-key") == key,
            Auth::Bearer => header("authorization") == format!("Bearer {key}"),
            // The account is anybody's.
            Auth::Basic => header("authorization")
                .strip_prefix("Basic ")
                .and_then(|text| BASE64_STANDARD.decode(text).ok())
                .is_some_and(|pair| pair.ends_with(format!(":{key}").as_bytes())),
        }
    }
}

pub async fn serve(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    let handle = move |method: Method, path: warp::path::FullPath, query: String, headers: HeaderMap, body: Bytes| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(answer(&state, &method, path.as_str(), &query, &headers, &body).await) }
    };
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let routes = warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::bytes())
        .and_then(handle);
    let stopped = stop.clone();
    let serving = warp::serve(routes).incoming(listener).graceful(async move { stopped.cancelled().await }).run();
    // Idle and held connections would outlive a graceful end.
    tokio::select! {
        () = serving => {}
        () = stop.cancelled() => {}
    }
}

async fn answer(
    state: &State,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response<Bytes> {
    let key = &state.options.key;
    if path == "/ledger" {
        let ledger = state.ledger().clone();
        return reply(200, &json!(ledger));
    }
    if path == "/v1/auth/health" {
        let known = headers.get("x-api-key").is_some_and(|given| given.as_bytes() == key.as_bytes());
        return reply(200, &json!({ "healthy": true, "is_logged_in": known }));
    }
    match Call::of(path) {
        None => problem(404, "no such call"),
        Some((call, _)) if call.method != *method => problem(405, "another method is needed"),
        Some((call, _)) if !call.authorised(key, headers) => problem(401, "invalid api key"),
        Some((call, tail)) => {
            let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let parsed = serde_json::from_slice(body).unwrap_or(Value::Null);
            work_on(state, call, Asked { body: parsed, raw: body, content_type, query, tail, fault: None }).await
        }
    }
}

async fn work_on(state: &State, call: &Call, mut asked: Asked<'_>) -> Response<Bytes> {
    state.ledger().call(call.provider, call.path);
    let (fault, faults) = state.faults().take(call.provider);
    asked.fault = fault;
    tokio::time::sleep(state.options.delay + faults.delay).await;
    let worked = || (call.work)(state, &asked, &mut state.ledger());
    if !matches!(fault, None | Some(Fault::Lost | Fault::Partial | Fault::Without(_))) {
        // What such a call would have changed besides is forgotten: nobody hears of it.
        state.ledger().in_vain(call.provider, |ledger| (call.work)(state, &asked, ledger).is_ok());
    }
    match fault {
        None => answered(worked()),
        Some(fault @ (Fault::Partial | Fault::Without(_))) => {
            answered(worked().map(|answer| partly(answer, |items| fault.kept(items))))
        }
        Some(Fault::Lost) => {
            let _billed_though_nobody_hears = worked();
            problem(502, "bad gateway")
        }
        Some(Fault::RateLimited) => {
            let mut response = problem(429, "rate limit exceeded");
            response.headers_mut().insert("retry-after", faults.retry_after.into());
            response
        }
        Some(Fault::Unavailable) => problem(503, "unavailable"),
        Some(Fault::Refused) => problem(400, "bad request"),
        Some(Fault::BadKey) => problem(401, "invalid api key"),
        Some(Fault::NoCredits) => problem(403, "out of credits"),
        Some(Fault::Garbage) => json_response(200, Bytes::from_static(b"{\"matches\": [{\"id\": \"5f")),
        Some(Fault::Timeout) => {
            tokio::time::sleep(faults.hold).await;
            problem(504, "gateway timeout")
        }
    }
}

fn answered(answer: Answer) -> Response<Bytes> {
    answer.map_or_else(|refused| problem(refused.status, refused.message), |answer| reply(200, &answer))
}

/// A part of a list; of a single answer, nothing that can be understood.
fn partly(mut answer: Value, kept: impl Fn(usize) -> usize) -> Value {
    let name = ["matches", "organizations"].into_iter().find(|name| answer.get(name).is_some());
    let listed = match name {
        Some(name) => answer.get_mut(name),
        None => Some(&mut answer),
    };
    match listed.and_then(Value::as_array_mut) {
        Some(list) => {
            list.truncate(kept(list.len()));
            answer
        }
        None => json!([]),
    }
}

fn problem(status: u16, message: &str) -> Response<Bytes> {
    reply(status, &json!({ "statusCode": status, "error": message, "message": message }))
}

fn reply(status: u16, body: &Value) -> Response<Bytes> {
    let body = serde_json::to_vec(body).expect("JSON is written to memory");
    json_response(status, body.into())
}

fn json_response(status: u16, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}
