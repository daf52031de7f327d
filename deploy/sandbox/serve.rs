//! The HTTP side of the sandbox: keys, delays and faults first, then the provider's own answer.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::Filter;

use super::{Fault, State, apollo, ledger::Ledger, realestate};

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
type Work = fn(&Value, &mut Ledger) -> Answer;

/// Every call that costs something: its path and what answers it.
const CALLS: [(&str, Work); 4] = [
    ("/api/v1/people/match", apollo::people_match),
    ("/api/v1/people/bulk_match", apollo::bulk_match),
    ("/v1/SkipTrace", realestate::skip_trace),
    ("/v1/SkipTraceBatchAwait", realestate::batch_await),
];

pub async fn serve(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    let handle = move |method: http::Method, path: warp::path::FullPath, key: Option<String>, body: Bytes| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(answer(&state, &method, path.as_str(), key.as_deref(), &body).await) }
    };
    let routes = warp::method()
        .and(warp::path::full())
        .and(warp::header::optional::<String>("x-api-key"))
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

async fn answer(state: &State, method: &http::Method, path: &str, key: Option<&str>, body: &[u8]) -> Response<Bytes> {
    if path == "/ledger" {
        let ledger = state.ledger().clone();
        return reply(200, &json!(ledger));
    }
    let authorised = key == Some(state.options.key.as_str());
    let call = CALLS.iter().find(|(of, _)| *of == path);
    match (method.as_str(), path, call) {
        ("GET", "/v1/auth/health", _) if authorised => reply(200, &apollo::health()),
        ("GET", "/v1/auth/health", _) => reply(200, &json!({ "healthy": true, "is_logged_in": false })),
        ("POST", _, Some(_)) if !authorised => problem(401, "invalid api key"),
        ("POST", _, Some((path, work))) => work_on(state, path, *work, body).await,
        (_, _, Some(_)) => problem(405, "POST only"),
        _ => problem(404, "no such call"),
    }
}

async fn work_on(state: &State, path: &'static str, work: Work, body: &[u8]) -> Response<Bytes> {
    state.ledger().call(path);
    let (fault, rates) = {
        let mut plan = state.faults();
        (plan.take(), plan.rates.clone())
    };
    tokio::time::sleep(state.options.delay).await;
    let worked = || match serde_json::from_slice::<Value>(body) {
        Ok(request) => work(&request, &mut state.ledger()),
        Err(_) => Err(Refused::request(400, "the body is no JSON")),
    };
    match fault {
        None => worked().map_or_else(|refused| problem(refused.status, refused.message), |answer| reply(200, &answer)),
        Some(Fault::Lost) => {
            let _billed_though_nobody_hears = worked();
            problem(502, "bad gateway")
        }
        Some(Fault::RateLimited) => {
            let mut response = problem(429, "rate limit exceeded");
            response.headers_mut().insert("retry-after", rates.retry_after.into());
            response
        }
        Some(Fault::Unavailable) => problem(503, "unavailable"),
        Some(Fault::Refused) => problem(400, "bad request"),
        Some(Fault::NoCredits) => problem(403, "out of credits"),
        Some(Fault::Garbage) => json_response(200, Bytes::from_static(b"{\"matches\": [{\"id\": \"5f")),
        Some(Fault::Timeout) => {
            tokio::time::sleep(rates.hold).await;
            problem(504, "gateway timeout")
        }
    }
}

fn problem(status: u16, message: &str) -> Response<Bytes> {
    reply(status, &json!({ "statusCode": status, "error": message, "message": message }))
}

fn reply(status: u16, body: &Value) -> Response<Bytes> {
    json_response(status, body.to_string().into())
}

fn json_response(status: u16, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}
