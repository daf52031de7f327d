//! From a request to its line of the list: path first, then method, then the caller's right, then the handler.
//!
//! warp takes the request apart and nothing more. Alternatives over warp's rejections would try every later route
//! after a refusal and mix up 404, 405 and 400.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Buf;
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use hyper::upgrade::OnUpgrade;
use luci_schema::EventId;
use warp::{Filter, filters::BoxedFilter, path::FullPath, reply::Response};

use super::{Handle, ROUTES, Route};
use crate::{
    App,
    ask::{Ask, BodyStream},
    lent,
    problem::Problem,
    serve::Connection,
};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The whole gateway as one warp filter.
pub fn filter(app: Arc<App>) -> BoxedFilter<(Response,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Connection>())
        .and(warp::ext::optional::<OnUpgrade>())
        .and(warp::body::stream())
        .then(move |method, path: FullPath, query, headers, connection, upgrade, body| {
            let app = Arc::clone(&app);
            let (body, rest) = lent::lend(whole(body));
            let body = Mutex::new(body);
            let request_id = request_id(&headers);
            let path = path.as_str().to_owned();
            let params = Vec::new();
            let ask = Ask { method, path, params, query, headers, body, connection, upgrade, request_id };
            answer(app, ask, rest)
        })
        .boxed()
}

/// The body's chunks, whatever buffers warp hands out.
fn whole<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static) -> BodyStream {
    body.map(|chunk| chunk.map(|mut chunk| chunk.copy_to_bytes(chunk.remaining())).map_err(unread)).boxed()
}

fn unread(error: warp::Error) -> Problem {
    tracing::debug!(%error, "a body broke off");
    Problem::bad_request("The body broke off.")
}

/// The caller's own id when it is sane, else a fresh one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let sane = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    given.filter(sane).map_or_else(|| EventId::generate().ulid().to_string(), str::to_owned)
}

async fn answer(app: Arc<App>, ask: Ask, rest: lent::Rest) -> Response {
    let begun = Instant::now();
    let request_id = ask.request_id.clone();
    let method = ask.method.clone();
    let asks_first = ask.headers.contains_key(header::EXPECT);
    let (operation, result) = handled(app, ask).await;
    let mut response = result.unwrap_or_else(|problem| problem.into_response(&request_id));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(&REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A client that waits for `100 Continue` has sent no body yet, and reading would ask for it.
    let read = if asks_first { rest.was_read() } else { rest.read_away().await };
    if !read {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    note(operation, &method, response.status().as_u16(), begun, &request_id);
    response
}

/// The operation's name and its answer. The request is let go of with its body by then.
async fn handled(app: Arc<App>, mut ask: Ask) -> (&'static str, super::Answer) {
    match find(&ask.method, &ask.path) {
        Found::Route(route, params) => {
            ask.params = params;
            (route.operation, run(app, route, ask).await)
        }
        Found::Methods(allow) if ask.method == Method::OPTIONS => ("options", Ok(options(&allow))),
        Found::Methods(allow) => ("none", Err(Problem::method(&allow))),
        Found::Nothing => ("none", Err(Problem::no_route())),
    }
}

async fn run(app: Arc<App>, route: &Route, ask: Ask) -> super::Answer {
    ask.without_zero()?;
    match route.handle {
        Handle::Open(handle) => handle(app, ask).await,
        Handle::For(right, handle) => {
            let caller = app.callers.find(&app.hub, &ask.method, &ask.headers).await?;
            caller.allow(right, route.group())?;
            handle(app, caller, ask).await
        }
    }
}

/// The path is not logged: it may name what only its tenant should know. The operation and the request id are.
fn note(operation: &'static str, method: &Method, status: u16, begun: Instant, request_id: &str) {
    let took = begun.elapsed();
    metrics::histogram!("luci_http_request_seconds", "operation" => operation).record(took.as_secs_f64());
    let class = ["1xx", "2xx", "3xx", "4xx", "5xx"][usize::from((status / 100).clamp(1, 5) - 1)];
    metrics::counter!("luci_http_requests_total", "operation" => operation, "status" => class).increment(1);
    let duration_ms = took.as_millis() as u64;
    tracing::debug!(http.operation = operation, %method, http.status = status, duration_ms, request.id = request_id, "answered");
}

fn options(allow: &str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = http::StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

enum Found {
    Route(&'static Route, Vec<String>),
    /// The path exists for these methods only.
    Methods(String),
    Nothing,
}

fn find(method: &Method, path: &str) -> Found {
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let mut methods: Vec<&str> = Vec::new();
    for route in ROUTES {
        let Some(params) = params(route.template, path) else { continue };
        if route.method == *wanted {
            return Found::Route(route, params);
        }
        methods.push(route.method.as_str());
    }
    if methods.is_empty() {
        return Found::Nothing;
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    Found::Methods(methods.join(", "))
}

/// The values of a template's parameters in a path, or `None` when the path is not of that form.
fn params(template: &str, path: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut rest = path.strip_prefix('/')?;
    let mut parts = template.strip_prefix('/')?.split('/').peekable();
    while let Some(part) = parts.next() {
        if part.ends_with("*}") {
            return (!rest.is_empty()).then(|| {
                values.push(rest.to_owned());
                values
            });
        }
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        if part.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            values.push(segment.to_owned());
        } else if part != segment {
            return None;
        }
        match after {
            Some(after) if parts.peek().is_some() => rest = after,
            None if parts.peek().is_none() => return Some(values),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_match_whole_paths() {
        assert_eq!(params("/a/{x}/b", "/a/1/b"), Some(vec!["1".into()]));
        assert_eq!(params("/a/{x}/b", "/a/1/b/"), None);
        assert_eq!(params("/a/{x}", "/a/"), None);
        assert_eq!(params("/a/{x}", "/a"), None);
        assert_eq!(params("/a/{x*}", "/a/b/c"), Some(vec!["b/c".into()]));
        assert_eq!(params("/", "/"), Some(vec![]));
        assert_eq!(params("/a", "/a?b"), None);
    }

    #[test]
    fn paths_come_before_methods() {
        assert!(matches!(find(&Method::GET, "/api/nothing"), Found::Nothing));
        let Found::Methods(allow) = find(&Method::PATCH, "/api/pipelines") else { panic!("405") };
        assert_eq!(allow, "GET, POST, HEAD, OPTIONS");
        let Found::Route(route, _) = find(&Method::HEAD, "/api/pipelines") else { panic!("HEAD is GET") };
        assert_eq!(route.operation, "listRuns");
    }

    #[test]
    fn every_operation_has_its_own_name() {
        let mut names: Vec<_> = ROUTES.iter().map(|route| route.operation).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROUTES.len());
    }
}
