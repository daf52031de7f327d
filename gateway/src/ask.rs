//! One request, read: its path parameters, query, headers and body, each parsed in one place.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream::BoxStream};
use http::{HeaderMap, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use luci_schema::{CorrelationId, Hash, Position, Version};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{problem::Problem, serve::Connection};

/// The largest JSON body, where a route does not say otherwise.
const JSON_LIMIT: u64 = 1 << 20;
/// What is wrong with a zero character.
const ZERO: &str = "holds a zero character (U+0000), which no text here may";
/// The longest silence inside a body.
const BODY_SILENCE: Duration = Duration::from_secs(30);

pub type BodyStream = BoxStream<'static, Result<Bytes, Problem>>;

/// A request whose route was found.
pub struct Ask {
    pub method: Method,
    pub path: String,
    /// Values of the template's `{…}` segments, in order.
    pub params: Vec<String>,
    pub query: String,
    pub headers: HeaderMap,
    /// Behind a lock because a stream may be sent to another thread, not shared.
    pub body: Mutex<BodyStream>,
    pub connection: Option<Connection>,
    pub upgrade: Option<OnUpgrade>,
    pub request_id: String,
}

impl Ask {
    /// The n-th path parameter as an id; one of another kind or shape cannot exist, so it is a 404.
    pub fn id<T>(&self, index: usize, what: &str) -> Result<T, Problem>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.params.get(index).map(String::as_str).unwrap_or_default();
        text.parse().map_err(|error: T::Err| Problem::not_found(what).detail(error.to_string()))
    }

    /// The first value of a query parameter, decoded; empty counts as absent.
    pub fn query(&self, name: &str) -> Option<String> {
        self.pairs().filter(|(key, _)| key == name).map(|(_, v)| v.trim().to_owned()).find(|v| !v.is_empty())
    }

    fn pairs(&self) -> url::form_urlencoded::Parse<'_> {
        url::form_urlencoded::parse(self.query.as_bytes())
    }

    /// Refuses a query with a zero character: Postgres can hold none in a text.
    pub fn without_zero(&self) -> Result<(), Problem> {
        match self.pairs().find(|(_, value)| value.contains('\0')) {
            Some((name, _)) => Err(Problem::invalid(&name.replace('\0', "\u{fffd}"), ZERO)),
            None => Ok(()),
        }
    }

    /// Whether a parameter stands in the query, with a value or without.
    pub fn flag(&self, name: &str) -> bool {
        self.pairs().any(|(key, _)| key == name)
    }

    /// All values of a query parameter; commas separate values too.
    pub fn query_all(&self, name: &str) -> Vec<String> {
        self.pairs()
            .filter(|(key, _)| key == name)
            .flat_map(|(_, value)| value.split(',').map(str::to_owned).collect::<Vec<_>>())
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// A query parameter of a type that can be parsed.
    pub fn query_as<T>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.query(name)
            .map(|text| text.parse().map_err(|error: T::Err| Problem::invalid(name, error.to_string())))
            .transpose()
    }

    /// `limit` within 1..=`most`, or `usual`.
    pub fn limit(&self, usual: u32, most: u32) -> Result<u32, Problem> {
        match self.query_as::<u32>("limit")? {
            None => Ok(usual),
            Some(limit) if (1..=most).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::invalid("limit", format!("1 to {most}"))),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// `If-Match: 143`, `"143"` or `"v143"`; `*` asks only that it exists.
    pub fn if_match(&self) -> Result<Option<Version>, Problem> {
        let Some(text) = self.header("if-match").filter(|text| *text != "*") else { return Ok(None) };
        let number = text.trim_matches('"').trim_start_matches('v');
        number.parse().map(|version| Some(Version(version))).map_err(|_| Problem::invalid("If-Match", "a version"))
    }

    /// The position that the answer must not be older than.
    pub fn min_position(&self) -> Result<Option<Position>, Problem> {
        let Some(text) = self.header("luci-min-position") else { return Ok(None) };
        text.parse().map(|at| Some(Position(at))).map_err(|_| Problem::invalid("Luci-Min-Position", "a position"))
    }

    /// The caller's own correlation id, when it sent one.
    pub fn correlation(&self) -> Result<Option<CorrelationId>, Problem> {
        self.header("luci-correlation-id")
            .map(|text| text.parse().map_err(|error| Problem::invalid("Luci-Correlation-Id", format!("{error}"))))
            .transpose()
    }

    /// The whole body, at most `limit` bytes.
    pub async fn bytes(&mut self, limit: u64) -> Result<Bytes, Problem> {
        let mut body = self.stream(limit)?;
        let mut whole = BytesMut::new();
        while let Some(chunk) = body.next().await {
            whole.extend_from_slice(&chunk?);
        }
        Ok(whole.freeze())
    }

    /// The body as JSON, with the digest of its bytes. An absent body reads as `{}`.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<(T, Hash), Problem> {
        self.json_within(JSON_LIMIT).await
    }

    /// The same, of at most `limit` bytes.
    pub async fn json_within<T: DeserializeOwned>(&mut self, limit: u64) -> Result<(T, Hash), Problem> {
        let bytes = self.bytes(limit).await?;
        let digest = Sha256::digest(&bytes).into();
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        if !bytes.is_empty() && !self.header("content-type").is_some_and(says_json) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "JSON is needed")
                .detail("Send the body with `Content-Type: application/json`."));
        }
        if escapes_zero(text) {
            return Err(Problem::invalid("body", ZERO));
        }
        let mut reader = serde_json::Deserializer::from_slice(text);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(unreadable)?;
        reader.end().map_err(not_json)?;
        Ok((value, digest))
    }

    /// The body as it comes: cut off with 413 beyond `limit`, with 408 when it falls silent.
    pub fn stream(&mut self, limit: u64) -> Result<BodyStream, Problem> {
        let announced = self.header("content-length").and_then(|text| text.parse::<u64>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(Problem::too_large(limit));
        }
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        let body = std::mem::replace(body, futures::stream::empty().boxed());
        Ok(bounded(body, limit))
    }
}

fn bounded(body: BodyStream, limit: u64) -> BodyStream {
    futures::stream::unfold(Some((body, 0_u64)), move |state| async move {
        let (mut body, taken) = state?;
        match tokio::time::timeout(BODY_SILENCE, body.next()).await {
            Err(_) => Some((Err(silent()), None)),
            Ok(None) => None,
            Ok(Some(Err(problem))) => Some((Err(problem), None)),
            Ok(Some(Ok(chunk))) => {
                let taken = taken + chunk.len() as u64;
                if taken > limit {
                    return Some((Err(Problem::too_large(limit)), None));
                }
                Some((Ok(chunk), Some((body, taken))))
            }
        }
    })
    .boxed()
}

fn silent() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body-timeout", "The body did not arrive")
}

/// Whether JSON text holds `\u0000`, the one way to write a zero character in it. (`\\u0000` is a backslash and letters.)
fn escapes_zero(json: &[u8]) -> bool {
    let mut escaped = false;
    json.iter().enumerate().any(|(at, byte)| {
        let zero = escaped && json[at..].starts_with(b"u0000");
        escaped = *byte == b'\\' && !escaped;
        zero
    })
}

fn says_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
}

/// Serde says what is wrong, and the path says with which field.
fn unreadable(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let error = error.into_inner();
    if error.classify() != serde_json::error::Category::Data {
        return not_json(error);
    }
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    let within = Some(path.as_str()).filter(|path| *path != ".");
    let named = |what: &str| said.strip_prefix(what).and_then(|rest| rest.split('`').next());
    let field = match (within, named("missing field `")) {
        // What is missing has no place of its own: the path ends at what should hold it.
        (Some(within), Some(missing)) => format!("{within}.{missing}"),
        (Some(within), None) => within.to_owned(),
        // Of a body that is read by its `action` or `type` the path is not known.
        (None, missing) => missing.or_else(|| named("unknown field `")).unwrap_or("body").to_owned(),
    };
    Problem::invalid(&field, said)
}

fn not_json(error: serde_json::Error) -> Problem {
    Problem::bad_request(format!("The body is not JSON (line {} column {}).", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str, headers: &[(&'static str, &str)], body: &'static [u8]) -> Ask {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap()));
        Ask {
            method: Method::GET,
            path: "/".into(),
            params: vec![],
            query: query.into(),
            headers: headers.collect(),
            body: Mutex::new(futures::stream::iter([Ok(Bytes::from_static(body))]).boxed()),
            connection: None,
            upgrade: None,
            request_id: "r".into(),
        }
    }

    #[test]
    fn query_values_are_decoded_and_split() {
        let ask = asked("status=running%2Cfailed&status=paused&q=a%20b&limit=7", &[], b"");
        assert_eq!(ask.query_all("status"), ["running", "failed", "paused"]);
        assert_eq!(ask.query("q").as_deref(), Some("a b"));
        assert_eq!(ask.limit(50, 100).unwrap(), 7);
        assert!(ask.limit(50, 5).is_err());
        let ask = asked("fileName=Smith%2C+Jones.csv&limit=5,6&x=&x=1", &[], b"");
        assert_eq!(ask.query("fileName").as_deref(), Some("Smith, Jones.csv"), "one value is not split");
        assert!(ask.limit(50, 100).is_err());
        assert_eq!(ask.query("x").as_deref(), Some("1"), "empty counts as absent");
    }

    #[tokio::test]
    async fn zero_characters_are_refused_where_they_come_in() {
        assert!(asked("q=a%200&x=%2500", &[], b"").without_zero().is_ok());
        assert_eq!(asked("limit=1&q=a%00", &[], b"").without_zero().unwrap_err().status(), 422);
        let json = [("content-type", "application/json")];
        for (body, status) in [
            (&br#"{"a":"x\u0000"}"#[..], Some(422)),
            (br#"{"\u0000":1}"#, Some(422)),
            (br#"{"a":"\\\u0000"}"#, Some(422)),
            (br#"{"a":"\\u0000 \u0001 0000"}"#, None),
        ] {
            let read = asked("", &json, body).json::<serde_json::Value>().await;
            assert_eq!(read.err().map(|problem| problem.status().as_u16()), status);
        }
    }

    #[test]
    fn if_match_takes_the_usual_spellings() {
        for text in ["143", "\"143\"", "\"v143\""] {
            assert_eq!(asked("", &[("if-match", text)], b"").if_match().unwrap(), Some(Version(143)));
        }
        assert!(asked("", &[("if-match", "abc")], b"").if_match().is_err());
        assert_eq!(asked("", &[("if-match", "*")], b"").if_match().unwrap(), None);
    }

    #[tokio::test]
    async fn bodies_end_at_the_limit() {
        let mut ask = asked("", &[], b"0123456789");
        assert_eq!(ask.bytes(9).await.unwrap_err().status(), 413);
        let mut ask = asked("", &[("content-length", "10")], b"0123456789");
        assert_eq!(ask.bytes(9).await.unwrap_err().status(), 413);
        let mut ask = asked("", &[], b"0123456789");
        assert_eq!(ask.bytes(10).await.unwrap().len(), 10);
    }

    #[tokio::test]
    async fn a_wrong_field_is_named_by_its_path() {
        #[derive(serde::Deserialize, Debug)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[expect(dead_code, reason = "read by serde alone")]
        struct Body {
            block_size: u32,
            role: Option<Role>,
            inner: Option<Box<Body>>,
        }
        #[derive(serde::Deserialize, Debug)]
        #[serde(rename_all = "snake_case")]
        enum Role {
            Viewer,
        }
        let json = [("content-type", "application/json")];
        for (body, field) in [
            (&br#"{"blockSize":"9"}"#[..], "blockSize"),
            (br#"{"blockSize":1,"role":"emperor"}"#, "role"),
            (br#"{"blockSize":1,"inner":{"blockSize":-1}}"#, "inner.blockSize"),
            (br#"{}"#, "blockSize"),
            (br#"{"blockSize":1,"inner":{}}"#, "inner.blockSize"),
            (br#"{"blockSize":1,"more":1}"#, "more"),
            (br#"[1]"#, "body"),
            (br#""x""#, "body"),
        ] {
            let problem = asked("", &json, body).json::<Body>().await.unwrap_err();
            assert_eq!(problem.brief()["detail"].as_str().unwrap().split(": ").next(), Some(field), "{problem:?}");
        }
        assert_eq!(asked("", &json, b"{\"blockSize\":1} x").json::<Body>().await.unwrap_err().status(), 400);
    }

    #[tokio::test]
    async fn json_must_be_json() {
        #[derive(serde::Deserialize, Debug)]
        #[serde(deny_unknown_fields)]
        struct Body {
            a: u32,
        }
        let json = [("content-type", "application/json")];
        assert!(matches!(asked("", &json, b"{\"a\":1}").json::<Body>().await, Ok((Body { a: 1 }, _))));
        assert_eq!(asked("", &json, b"{").json::<Body>().await.unwrap_err().status(), 400);
        assert_eq!(asked("", &json, b"{\"a\":\"x\"}").json::<Body>().await.unwrap_err().status(), 422);
        assert_eq!(asked("", &json, b"{\"b\":1}").json::<Body>().await.unwrap_err().status(), 422);
        assert_eq!(asked("", &[], b"{\"a\":1}").json::<Body>().await.unwrap_err().status(), 415);
    }
}
