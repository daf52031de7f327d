//! What a caller sees when something is refused: RFC 9457 `application/problem+json`, which leaks nothing of the inside.

use std::fmt::Display;

use http::{HeaderName, HeaderValue, StatusCode, header};
use luci_engine::admin::{AdminError, vault::VaultError};
use luci_schema::{
    Version,
    log::{AppendError, is_disconnected},
};
use serde_json::{Map, Value, json};
use warp::reply::Response;

/// One refused answer. `kind` is stable and machine-readable, the rest is for people.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Option<String>,
    more: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self { status, kind, title, detail: None, more: Map::new(), headers: Vec::new() }
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.into(), value.into());
        self
    }

    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The thing is not there, or is another tenant's: the two cannot be told apart.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found").detail(format!("There is no {what} with this id."))
    }

    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-such-route", "Not found").detail("The API has no such address.")
    }

    pub fn method(allow: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            .header(header::ALLOW, allow)
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid key is needed")
            .detail("Send `Authorization: Bearer KEY`, or sign in at /admin/pipelines.")
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"luci\"")
    }

    pub fn forbidden(why: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed").detail(why)
    }

    /// One field of the request is wrong; the fields are named so that a form can show them.
    pub fn invalid(field: &str, reason: impl Into<String>) -> Self {
        Self::fields(vec![(field.into(), reason.into())])
    }

    pub fn fields(errors: Vec<(String, String)>) -> Self {
        let listed: Vec<Value> =
            errors.iter().map(|(field, reason)| json!({"field": field, "reason": reason})).collect();
        let detail = errors.iter().map(|(field, reason)| format!("{field}: {reason}")).collect::<Vec<_>>().join("; ");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid")
            .detail(detail)
            .with("errors", listed)
    }

    pub fn bad_request(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read").detail(why)
    }

    pub fn too_large(limit: u64) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large")
            .detail(format!("At most {limit} bytes are taken here."))
            .with("limitBytes", limit)
    }

    /// `If-Match` named another version.
    pub fn version_mismatch(actual: Version) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "version-mismatch", "It has moved on")
            .detail(format!("The version is {actual} now."))
            .with("version", actual.0)
    }

    pub fn key_reused() -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The Idempotency-Key was used before")
            .detail("The same key came earlier with another body.")
    }

    pub fn unavailable(why: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again soon")
            .detail(why)
            .header(header::RETRY_AFTER, "1")
    }

    /// Something of ours broke. The cause is logged here, once, and not told.
    pub fn internal(error: &dyn Display) -> Self {
        tracing::error!(error = %error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something broke on our side")
            .detail("The request id is in the log.")
    }

    /// A stored event was changed from outside and cannot be read any more. What it says now is logged, not told.
    pub fn damaged(error: &dyn Display) -> Self {
        tracing::error!(error = %error, "a stored event cannot be read");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "history-damaged", "The history was changed from outside")
            .detail("A stored event cannot be read any more; …/verify of its run says which.")
    }

    /// In few words, as one of several in an answer.
    pub fn brief(&self) -> Value {
        json!({"type": self.name(), "status": self.status.as_u16(), "title": self.title, "detail": self.detail})
    }

    fn name(&self) -> String {
        format!("urn:luci:problem:{}", self.kind)
    }

    /// As an answer that names the request.
    pub fn into_response(self, request_id: &str) -> Response {
        let name = self.name();
        let mut body = self.more;
        body.insert("type".into(), name.into());
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

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if is_disconnected(&error) {
            tracing::warn!(error = %error, "the database did not answer");
            return Self::unavailable("The database does not answer.");
        }
        Self::internal(&error)
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { actual } => Self::version_mismatch(actual),
            AppendError::NotFound => Self::not_found("entity"),
            AppendError::AlreadyDone(_) => {
                Self::new(StatusCode::CONFLICT, "carried-out-now", "The same command was carried out this moment")
                    .detail("Ask again for its answer.")
                    .header(header::RETRY_AFTER, "1")
            }
            AppendError::Database(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NotFound(what) => Self::not_found(what),
            AdminError::Taken { field, .. } => Self::invalid(field, "is taken"),
            AdminError::Invalid { field, reason } => Self::invalid(field, reason),
            AdminError::Fields(errors) => Self::fields(errors),
            AdminError::Append(error) => error.into(),
            AdminError::Log(error) => error.into(),
            AdminError::Vault(error) => error.into(),
            AdminError::Storage(error) => error.into(),
            AdminError::Database(error) => error.into(),
        }
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
        assert_eq!(problem.more["errors"][0]["field"], "options.blockSize");
    }
}
