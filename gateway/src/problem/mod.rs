//! The error response of every route: RFC 9457 `application/problem+json`. It contains no internal detail.
//!
//! Errors and refusals of the other crates become problems in the files below, one a crate, and nowhere else.

mod engine;
mod projections;
mod request;
mod schema;

use std::fmt::Display;

use http::{HeaderName, HeaderValue, StatusCode, header};
use luci_schema::Version;
use serde_json::{Map, Value, json};
use warp::reply::Response;

pub use engine::upload_code;

/// An error response. `kind` is stable and machine-readable; title and detail are for people.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Option<String>,
    fields: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self { status, kind, title, detail: None, fields: Map::new(), headers: Vec::new() }
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The same with another status: routes of the older platform keep theirs.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The resource does not exist or belongs to another tenant; the response is the same for both.
    pub fn not_found(kind: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found").detail(format!("There is no {kind} with this id."))
    }

    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-such-route", "Not found").detail("The API has no such route.")
    }

    pub fn method_not_allowed(allow: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            .header(header::ALLOW, allow)
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Authentication required")
            .detail("Send `Authorization: Bearer KEY`, or sign in at /admin/pipelines.")
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"luci\"")
    }

    pub fn forbidden(why: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed").detail(why)
    }

    /// One field of the request is invalid; `errors` lists fields and reasons, so that a form can show them.
    pub fn invalid(field: &str, reason: impl Into<String>) -> Self {
        Self::invalid_fields(vec![(field.into(), reason.into())])
    }

    pub fn invalid_fields(errors: Vec<(String, String)>) -> Self {
        let listed: Vec<Value> =
            errors.iter().map(|(field, reason)| json!({"field": field, "reason": reason})).collect();
        let detail = errors.iter().map(|(field, reason)| format!("{field}: {reason}")).collect::<Vec<_>>().join("; ");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid")
            .detail(detail)
            .with("errors", listed)
    }

    pub fn bad_request(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Malformed request").detail(why)
    }

    pub fn too_large(limit: u64) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large")
            .detail(format!("The limit is {limit} bytes."))
            .with("limitBytes", limit)
    }

    /// What the request would record does not fit into an event.
    pub fn event_too_large(bytes: usize, most: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The change is too large")
            .detail(format!("It would be recorded with {bytes} bytes; the limit is {most}."))
            .with("limitBytes", most)
    }

    /// `If-Match` does not match the current version.
    pub fn version_mismatch(actual: Version) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "version-mismatch", "Version mismatch")
            .detail(format!("The current version is {actual}."))
            .with("version", actual.0)
    }

    pub fn key_reused() -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency-Key already used")
            .detail("The key was used before with another body.")
    }

    pub fn unavailable(why: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable")
            .detail(why)
            .header(header::RETRY_AFTER, "1")
    }

    /// An internal error. The cause is logged here, once, and is not in the response.
    pub fn internal(error: &dyn Display) -> Self {
        tracing::error!(error = %error, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
            .detail("The server log has the cause under the request id.")
    }

    /// A stored event was changed outside of LUCI and cannot be decoded. The cause is logged and is not in the response.
    pub fn damaged(error: &dyn Display) -> Self {
        tracing::error!(error = %error, "stored event cannot be decoded");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "history-damaged", "History damaged")
            .detail("A stored event cannot be decoded. `GET /api/pipelines/{runId}/verify` of its run names it.")
    }

    /// The short form, for one of several results in a response.
    pub fn brief(&self) -> Value {
        json!({"type": self.urn(), "status": self.status.as_u16(), "title": self.title, "detail": self.detail})
    }

    fn urn(&self) -> String {
        format!("urn:luci:problem:{}", self.kind)
    }

    /// The response, with the request id in its body.
    pub fn into_response(self, request_id: &str) -> Response {
        let urn = self.urn();
        let mut body = self.fields;
        body.insert("type".into(), urn.into());
        body.insert("title".into(), self.title.into());
        body.insert("status".into(), self.status.as_u16().into());
        if let Some(detail) = self.detail {
            body.insert("detail".into(), detail.into());
        }
        body.insert("requestId".into(), request_id.into());
        let mut response = Response::new(Value::Object(body).to_string().into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_request_and_nothing_else() {
        let response = Problem::internal(&"password=secret host=10.0.0.1").into_response("req-1");
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = format!("{:?}", response.body());
        assert!(!body.contains("secret"));
    }

    #[test]
    fn fields_are_listed() {
        let problem = Problem::invalid("options.blockSize", "1 to 1000");
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem.fields["errors"][0]["field"], "options.blockSize");
    }
}
