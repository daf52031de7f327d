//! The body of a request: as a stream, as bytes or as JSON, each with a size limit.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::StatusCode;
use luci_schema::Hash;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{BodyStream, NUL_REASON, Request};
use crate::{json_body, problem::Problem};

/// The size limit of a JSON body, in bytes, where a route does not set its own.
const JSON_LIMIT: u64 = 1 << 20;
/// The slowest sender, in bytes per second; what it sends at first may be slower.
const MIN_RATE: u64 = 8 << 10;

/// The digest of a body: of its canonical JSON, so that another order of fields or other white space is the same request;
/// of its bytes if it is not JSON.
pub fn body_digest(body: &[u8]) -> Hash {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let canonical = value.and_then(|value| luci_schema::json::canonical(&value).ok());
    match canonical {
        Some(text) => Sha256::digest(text).into(),
        None => Sha256::digest(body).into(),
    }
}

impl Request {
    /// The body as a stream. It fails with 413 beyond `limit` bytes. It fails with 408 when its reader has waited for too long:
    /// for one chunk, or in all more than the time of one chunk and a second for each 8 KiB that arrived.
    pub fn stream(&mut self, limit: u64) -> Result<BodyStream, Problem> {
        let announced = self.header("content-length").and_then(|text| text.parse::<u64>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(Problem::too_large(limit));
        }
        Ok(bounded(self.take_body(), limit, self.body_timeout))
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

    /// The body as JSON, with its digest (`body_digest`). An empty body is read as `{}`.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<(T, Hash), Problem> {
        self.json_within(JSON_LIMIT).await
    }

    /// `json`, with a size limit in bytes.
    pub async fn json_within<T: DeserializeOwned>(&mut self, limit: u64) -> Result<(T, Hash), Problem> {
        let bytes = self.bytes(limit).await?;
        let digest = body_digest(&bytes);
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        if !bytes.is_empty() && !self.header("content-type").is_some_and(is_json) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "JSON required")
                .detail("Send the body with `Content-Type: application/json`."));
        }
        if escapes_nul(text) {
            return Err(Problem::invalid("body", NUL_REASON));
        }
        Ok((json_body::parse(text)?, digest))
    }
}

/// Only waiting for the sender counts, not what the reader does between two chunks.
fn bounded(body: BodyStream, limit: u64, timeout: Duration) -> BodyStream {
    futures::stream::unfold(Some((body, 0_u64, Duration::ZERO)), move |state| async move {
        let (mut body, received, waited) = state?;
        let allowed = timeout + Duration::from_millis(received.saturating_mul(1_000) / MIN_RATE);
        let began = Instant::now();
        match tokio::time::timeout(allowed.saturating_sub(waited).min(timeout), body.next()).await {
            Err(_) => Some((Err(timed_out()), None)),
            Ok(None) => None,
            Ok(Some(Err(problem))) => Some((Err(problem), None)),
            Ok(Some(Ok(chunk))) => {
                let received = received + chunk.len() as u64;
                if received > limit {
                    return Some((Err(Problem::too_large(limit)), None));
                }
                Some((Ok(chunk), Some((body, received, waited + began.elapsed()))))
            }
        }
    })
    .boxed()
}

fn timed_out() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body-timeout", "The body did not arrive in time")
}

/// Whether JSON text contains `\u0000`, the only way to write a NUL character in it. (`\\u0000` is a backslash and letters.)
fn escapes_nul(json: &[u8]) -> bool {
    let mut escaped = false;
    json.iter().enumerate().any(|(at, byte)| {
        let nul = escaped && json[at..].starts_with(b"u0000");
        escaped = *byte == b'\\' && !escaped;
        nul
    })
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::request;
    use super::body_digest;

    const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

    #[tokio::test]
    async fn nul_characters_in_json_are_rejected() {
        for (body, status) in [
            (&br#"{"a":"x\u0000"}"#[..], Some(422)),
            (br#"{"\u0000":1}"#, Some(422)),
            (br#"{"a":"\\\u0000"}"#, Some(422)),
            (br#"{"a":"\\u0000 \u0001 0000"}"#, None),
        ] {
            let parsed = request("", &JSON, body).json::<serde_json::Value>().await;
            assert_eq!(parsed.err().map(|problem| problem.status().as_u16()), status);
        }
    }

    #[tokio::test]
    async fn bodies_end_at_the_limit() {
        let mut unannounced = request("", &[], b"0123456789");
        assert_eq!(unannounced.bytes(9).await.unwrap_err().status(), 413);
        let mut announced = request("", &[("content-length", "10")], b"0123456789");
        assert_eq!(announced.bytes(9).await.unwrap_err().status(), 413);
        let mut within = request("", &[], b"0123456789");
        assert_eq!(within.bytes(10).await.unwrap().len(), 10);
    }

    #[tokio::test]
    async fn json_must_be_json() {
        #[derive(serde::Deserialize, Debug)]
        #[serde(deny_unknown_fields)]
        struct Body {
            a: u32,
        }
        assert!(matches!(request("", &JSON, b"{\"a\":1}").json::<Body>().await, Ok((Body { a: 1 }, _))));
        assert_eq!(request("", &JSON, b"{").json::<Body>().await.unwrap_err().status(), 400);
        assert_eq!(request("", &JSON, b"{\"a\":1} x").json::<Body>().await.unwrap_err().status(), 400);
        assert_eq!(request("", &JSON, b"{\"a\":\"x\"}").json::<Body>().await.unwrap_err().status(), 422);
        assert_eq!(request("", &JSON, b"{\"b\":1}").json::<Body>().await.unwrap_err().status(), 422);
        assert_eq!(request("", &[], b"{\"a\":1}").json::<Body>().await.unwrap_err().status(), 415);
    }

    #[test]
    fn a_body_is_its_value() {
        let digest = |text: &str| body_digest(text.as_bytes());
        assert_eq!(digest(r#"{"a":1,"b":[true,null]}"#), digest("{ \"b\" : [true, null],\n \"a\": 1.0 }"));
        assert_eq!(digest(r#"{"a":"\u00e9"}"#), digest(r#"{"a":"é"}"#));
        assert_ne!(digest(r#"{"a":1}"#), digest(r#"{"a":2}"#));
        assert_ne!(digest(r#"{"a":[1,2]}"#), digest(r#"{"a":[2,1]}"#));
        assert_ne!(digest(r#"{"a":1}"#), digest(r#"{"a":"1"}"#));
        assert_ne!(digest("a,b"), digest("a,b "), "what is not JSON is its bytes");
    }
}
