//! Dispatches a request to its endpoint: path, method, authentication, right, handler.
//!
//! warp only takes the request apart. Routing by its rejections would try every later route after a refusal, and mix up
//! 404, 405 and 400.

use std::{
    str::FromStr,
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Buf;
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use luci_schema::{
    BlockId, EventId, RunId, TraceContext,
    trace::{self, TRACEPARENT},
};
use tracing::{Instrument, Span, field};
use warp::{Filter, filters::BoxedFilter, path::FullPath, reply::Response};

use super::{
    Handler, HandlerResult, Route,
    path_match::{self, PathMatch},
};
use crate::{
    App,
    body_drain::{self, BodyDrain},
    caller::Caller,
    connection::Connection,
    idempotency::Repeat,
    problem::Problem,
    rate_limit::{AddressScope, RateHeaders},
    request::{BodyStream, Request},
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
            let (body, drain) = body_drain::drained(chunks(body));
            let body = Mutex::new(body);
            let (request_id, trace) = (request_id(&headers), trace_of(&headers));
            let path = path.as_str().to_owned();
            let params = Vec::new();
            let (checked_digest, body_timeout) = (Arc::default(), app.options.body_timeout);
            let request = Request {
                method,
                path,
                params,
                query,
                headers,
                body,
                body_timeout,
                connection,
                upgrade,
                request_id,
                checked_digest,
            };
            trace::continued(trace, async move {
                let span = span(&request.request_id);
                respond(app, request, drain).instrument(span).await
            })
        })
        .boxed()
}

/// The span of a request. The other fields are recorded as soon as they are known.
fn span(request_id: &str) -> Span {
    tracing::info_span!(
        "request",
        request.id = request_id,
        operation = field::Empty,
        tenant.id = field::Empty,
        run.id = field::Empty,
        block.id = field::Empty,
    )
}

/// The chunks of the body, copied out of the buffers of warp.
fn chunks<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static) -> BodyStream {
    body.map(|chunk| chunk.map(|mut chunk| chunk.copy_to_bytes(chunk.remaining())).map_err(incomplete)).boxed()
}

fn incomplete(error: warp::Error) -> Problem {
    tracing::debug!(%error, "request body incomplete");
    Problem::bad_request("The body ended early.")
}

/// The id that the caller sent, if it is 1 to 128 visible ASCII characters, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let valid = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    sent.filter(valid).map_or_else(|| EventId::generate().ulid().to_string(), str::to_owned)
}

/// The trace that the caller says the request belongs to. `tracestate` is not kept.
fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    // What is no text is no context either, and counts as a second one.
    TraceContext::of_header(headers.get_all(TRACEPARENT).iter().map(|value| value.to_str().unwrap_or_default()))
}

async fn respond(app: Arc<App>, request: Request, drain: BodyDrain) -> Response {
    let started = Instant::now();
    let request_id = request.request_id.clone();
    let method = request.method.clone();
    let expects_continue = request.headers.contains_key(header::EXPECT);
    let security = app.security_headers;
    let mut rate = None;
    let (operation, result) = route(app, request, &mut rate).await;
    let mut response = result.unwrap_or_else(|early| early.into_response(&request_id));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(&REQUEST_ID, value);
    }
    if let Some(rate) = rate {
        rate.add_to(headers);
    }
    security.add_to(headers);
    // A client that waits for `100 Continue` has sent no body yet; reading would request it.
    let at_end = if expects_continue { drain.was_read() } else { drain.drain().await };
    if !at_end {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    record(operation, &method, response.status().as_u16(), started);
    response
}

/// The operation and its result. It consumes the request, so that the rest of the body goes to its drain.
async fn route(app: Arc<App>, mut request: Request, rate: &mut Option<RateHeaders>) -> (&'static str, HandlerResult) {
    let found = path_match::find(&request.method, &request.path);
    if !matches!(found, PathMatch::Route(..)) {
        match app.rate_limits.check_address(AddressScope::Address, &request) {
            Ok(left) => *rate = left,
            Err(refused) => return ("none", Err(refused.into())),
        }
    }
    match found {
        PathMatch::Route(route, params) => {
            record_route(&Span::current(), route, &params);
            request.params = params;
            (route.operation, call(app, route, request, rate).await)
        }
        PathMatch::OtherMethods(allow) if request.method == Method::OPTIONS => ("options", Ok(options(&allow))),
        PathMatch::OtherMethods(allow) => ("none", Err(Problem::method_not_allowed(&allow).into())),
        PathMatch::None => ("none", Err(Problem::no_route().into())),
    }
}

/// Records operation, run and block. Only ids that parse are recorded: a path may contain anything.
fn record_route(span: &Span, route: &Route, params: &[String]) {
    if span.is_disabled() {
        return;
    }
    span.record("operation", route.operation);
    for (name, value) in path_match::names(route.template).zip(params) {
        match name {
            "runId" if RunId::from_str(value).is_ok() => span.record("run.id", value.as_str()),
            "blockId" if BlockId::from_str(value).is_ok() => span.record("block.id", value.as_str()),
            _ => span,
        };
    }
}

async fn call(app: Arc<App>, route: &Route, request: Request, rate: &mut Option<RateHeaders>) -> HandlerResult {
    request.reject_nul_in_query()?;
    match route.handler {
        Handler::Public(handler) => {
            if let Some(scope) = route.address_scope() {
                *rate = app.rate_limits.check_address(scope, &request)?;
            }
            handler(app, request).await
        }
        Handler::Authenticated(right, handler) => {
            let caller = caller(&app, &request).await?;
            *rate = app.rate_limits.check_key(caller.key)?;
            Span::current().record("tenant.id", field::display(&caller.tenant));
            caller.authorize(right, route.scope())?;
            let repeat = Repeat::of(&caller, &request);
            let result = handler(Arc::clone(&app), caller.clone(), request).await;
            match repeat {
                Some(repeat) => repeat.answer(&app, &caller, result).await,
                None => result,
            }
        }
    }
}

/// The caller. Requests without a valid credential count against their address, and only they are refused for it.
async fn caller(app: &App, request: &Request) -> Result<Caller, Problem> {
    let found = app.callers.find(&app.hub, &request.method, &request.headers).await;
    if found.as_ref().is_err_and(|problem| problem.status() == StatusCode::UNAUTHORIZED) {
        app.rate_limits.check_address(AddressScope::Address, request)?;
    }
    found
}

/// Records metrics and the access log. The path is not logged: it may contain secrets (a webhook token).
fn record(operation: &'static str, method: &Method, status: u16, started: Instant) {
    let elapsed = started.elapsed();
    metrics::histogram!("luci_http_request_seconds", "operation" => operation).record(elapsed.as_secs_f64());
    let class = ["1xx", "2xx", "3xx", "4xx", "5xx"][usize::from((status / 100).clamp(1, 5) - 1)];
    metrics::counter!("luci_http_requests_total", "operation" => operation, "status" => class).increment(1);
    let duration_ms = elapsed.as_millis() as u64;
    tracing::debug!(http.operation = operation, %method, http.status = status, duration_ms, "request completed");
}

fn options(allow: &str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Id, Record},
        subscriber::with_default,
    };

    use super::*;

    type Fields = Arc<Mutex<Vec<(&'static str, String)>>>;

    /// Collects the fields of every span.
    struct Collector(Fields);

    struct Visitor<'a>(&'a Fields);

    impl Visit for Visitor<'_> {
        fn record_str(&mut self, field: &Field, value: &str) {
            self.0.lock().unwrap().push((field.name(), value.to_owned()));
        }

        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0.lock().unwrap().push((field.name(), format!("{value:?}")));
        }
    }

    impl Subscriber for Collector {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, span: &Attributes<'_>) -> Id {
            span.record(&mut Visitor(&self.0));
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, values: &Record<'_>) {
            values.record(&mut Visitor(&self.0));
        }

        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &Event<'_>) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    fn fields_of(path: &str) -> Vec<(&'static str, String)> {
        let fields = Fields::default();
        with_default(Collector(Arc::clone(&fields)), || {
            let PathMatch::Route(route, params) = path_match::find(&Method::POST, path) else { panic!("{path}") };
            record_route(&span("r-1"), route, &params);
        });
        let mut fields = fields.lock().unwrap();
        std::mem::take(&mut fields)
    }

    #[test]
    fn the_span_of_a_request_has_the_ids_of_its_path() {
        let (run, block) = (RunId::generate().to_string(), BlockId::generate().to_string());
        let fields = fields_of(&format!("/api/pipelines/{run}/blocks/{block}/retry"));
        let expected = [
            ("request.id", "r-1"),
            ("operation", "retryBlock"),
            ("run.id", run.as_str()),
            ("block.id", block.as_str()),
        ];
        assert_eq!(fields, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn what_is_no_id_is_not_recorded() {
        let names: Vec<_> =
            fields_of("/api/pipelines/john@example.com/pause").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["request.id", "operation"]);
    }
}
