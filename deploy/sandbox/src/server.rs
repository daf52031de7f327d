//! The HTTP server of the sandbox: route, key, delay and fault first, then the provider's handler.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::Filter;

use crate::{
    State,
    faults::Fault,
    provider::{Answer, Provider, Request, Route, RouteKind},
    providers::PROVIDERS,
};

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
    // A graceful end would wait for idle and held connections.
    tokio::select! {
        () = serving => {}
        () = stop.cancelled() => {}
    }
}

/// The first route that matches the path, and what follows the route's own path.
fn find(path: &str) -> Option<(&'static Provider, &'static Route, &str)> {
    PROVIDERS
        .iter()
        .find_map(|provider| provider.routes.iter().find_map(|route| Some((*provider, route, route.tail(path)?))))
}

async fn answer(
    state: &State,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response<Bytes> {
    if path == "/ledger" {
        let ledger = state.ledger().clone();
        return reply(200, &json!(ledger));
    }
    let Some((provider, route, tail)) = find(path) else {
        // Any provider may have been meant.
        let down = PROVIDERS.iter().all(|provider| state.faults().is_down(provider.name));
        return if down { problem(503, "unavailable") } else { problem(404, "no such call") };
    };
    if route.method != *method {
        return problem(405, "another method is needed");
    }
    let request = Request {
        body: serde_json::from_slice(body).unwrap_or(Value::Null),
        raw: body,
        content_type: headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        tail,
        authorised: provider.auth.accepts(&state.options.key, headers),
        fault: None,
    };
    if let Some(trace) = headers.get("traceparent").and_then(|value| value.to_str().ok()) {
        state.remember_trace(trace);
    }
    match route.kind {
        RouteKind::Health if state.faults().is_down(provider.name) => problem(503, "unavailable"),
        RouteKind::Health => answered(state.run(route, &request)),
        RouteKind::Billed if !request.authorised => problem(401, "invalid api key"),
        RouteKind::Billed => billed(state, provider, route, request).await,
    }
}

async fn billed(state: &State, provider: &Provider, route: &Route, mut request: Request<'_>) -> Response<Bytes> {
    state.ledger().count_call(provider.name, route.path);
    let (fault, faults) = state.faults().take(provider.name);
    request.fault = fault;
    tokio::time::sleep(state.options.delay + faults.delay).await;
    if fault.is_some_and(|fault| !fault.is_executed()) {
        state.run_faulty(provider, route, &request);
    }
    match fault {
        None => answered(state.run(route, &request)),
        Some(fault @ (Fault::Partial | Fault::Without(_))) => {
            answered(state.run(route, &request).map(|answer| partial(answer, provider.lists, fault)))
        }
        Some(Fault::Lost) => {
            // Executed and billed; only the answer is lost.
            let _ = state.run(route, &request);
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
    answer.map_or_else(|error| problem(error.status, error.message), |answer| reply(200, &answer))
}

/// A part of the answer's list; an answer without a list becomes `[]`, which no caller can read.
fn partial(mut answer: Value, lists: &[&str], fault: Fault) -> Value {
    let list = match lists.iter().find(|name| answer.get(**name).is_some()) {
        Some(name) => answer.get_mut(*name),
        None => Some(&mut answer),
    };
    match list.and_then(Value::as_array_mut) {
        Some(list) => {
            list.truncate(fault.kept(list.len()));
            answer
        }
        None => json!([]),
    }
}

fn problem(status: u16, message: &str) -> Response<Bytes> {
    reply(status, &json!({ "statusCode": status, "error": message, "message": message }))
}

pub fn reply(status: u16, body: &Value) -> Response<Bytes> {
    json_response(status, body.to_string().into())
}

fn json_response(status: u16, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}
