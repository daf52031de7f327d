//! One HTTP request, parsed in one place: path parameters, query, headers and body.

mod body;
pub mod date;
mod headers;
mod query;

use std::{
    fmt::Display,
    str::FromStr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use http::{HeaderMap, Method};
use hyper::upgrade::OnUpgrade;
use luci_schema::Hash;

pub use self::body::body_digest;
use crate::{connection::Connection, problem::Problem};

/// The reason given for a NUL character: Postgres cannot store one in a text.
const NUL_REASON: &str = "must not contain a NUL character (U+0000)";

pub type BodyStream = BoxStream<'static, Result<Bytes, Problem>>;

/// A request whose route was found.
pub struct Request {
    pub method: Method,
    pub path: String,
    /// Values of the template's `{…}` segments, in order.
    pub params: Vec<String>,
    pub query: String,
    pub headers: HeaderMap,
    /// In a mutex because a stream is `Send` and not `Sync`. It is never locked.
    pub body: Mutex<BodyStream>,
    /// How long the body may keep its reader waiting.
    pub body_timeout: Duration,
    pub connection: Option<Connection>,
    pub upgrade: Option<OnUpgrade>,
    pub request_id: String,
    /// The digest of the body, once the handler has looked for an earlier execution (`idempotency::check`).
    pub checked_digest: Arc<OnceLock<Hash>>,
}

impl Request {
    /// The path parameter at `index` as an id. An id that cannot be parsed cannot exist, so it is a 404.
    pub fn id<T>(&self, index: usize, kind: &str) -> Result<T, Problem>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.params.get(index).map(String::as_str).unwrap_or_default();
        text.parse().map_err(|error: T::Err| Problem::not_found(kind).detail(error.to_string()))
    }

    fn take_body(&mut self) -> BodyStream {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(body, futures::stream::empty().boxed())
    }
}

/// Parses a field of a request; 422 names the field.
pub fn parse_field<T: FromStr>(field: &str, text: &str) -> Result<T, Problem>
where
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| Problem::invalid(field, error.to_string()))
}

#[cfg(test)]
mod fixture {
    use super::*;

    /// A `GET /` with this query, these headers and this body.
    pub fn request(query: &str, headers: &[(&'static str, &str)], body: &'static [u8]) -> Request {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap()));
        Request {
            method: Method::GET,
            path: "/".into(),
            params: vec![],
            query: query.into(),
            headers: headers.collect(),
            body: Mutex::new(futures::stream::iter([Ok(Bytes::from_static(body))]).boxed()),
            body_timeout: Duration::from_secs(30),
            connection: None,
            upgrade: None,
            request_id: "r".into(),
            checked_digest: Arc::default(),
        }
    }
}
