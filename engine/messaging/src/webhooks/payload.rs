//! The body of a stored delivery, as JSON or as the fields of a form.

use base64::{Engine, prelude::BASE64_STANDARD};
use luci_schema::{FoundObject, ObjectFault, event::ObjectDigest};
use luci_storage::StorageError;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::rules::safe_text;

/// A body made safe; null when it is neither JSON nor a form.
pub fn payload(body: &[u8]) -> Value {
    match safe_text::json(body) {
        Some(document) => document,
        None if body.contains(&b'=') => {
            let fields = safe_text::form(body).into_iter().map(|(name, value)| (name, value.into()));
            fields.collect::<Map<String, Value>>().into()
        }
        None => Value::Null,
    }
}

/// The body in the object of a delivery, which must be the one that was recorded.
///
/// # Errors
/// `Integrity`.
pub fn verified_body(object_path: &str, object: &[u8], expected: &ObjectDigest) -> Result<Vec<u8>, StorageError> {
    let body = body(object).unwrap_or_default();
    let (size_bytes, checksum) = (body.len() as u64, hex::encode(Sha256::digest(&body)));
    if (size_bytes, &checksum) == (expected.size_bytes, &expected.checksum) {
        return Ok(body);
    }
    let found = FoundObject::Content { size_bytes, checksum };
    let fault = ObjectFault { object_path: object_path.to_owned(), expected: expected.clone(), found };
    Err(StorageError::Integrity(Box::new(fault)))
}

/// The body as it came.
pub(super) fn body(object: &[u8]) -> Option<Vec<u8>> {
    let stored: Value = serde_json::from_slice(object).ok()?;
    match (stored["body"].as_str(), stored["bodyBase64"].as_str()) {
        (Some(text), _) => Some(text.as_bytes().to_vec()),
        (None, Some(encoded)) => BASE64_STANDARD.decode(encoded).ok(),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_read_as_json_or_as_a_form() {
        let read = |object: &[u8]| body(object).map_or(Value::Null, |body| payload(&body));
        let of = |body: &str| read(json!({"source": "generic", "body": body}).to_string().as_bytes());
        assert_eq!(of(r#"{"order": {"total": 250}}"#), json!({"order": {"total": 250}}));
        assert_eq!(of("Body=Hi+there&From=%2B1"), json!({"Body": "Hi there", "From": "+1"}));
        assert_eq!(of("{\"a\":\"b\\u0000\"}"), json!({"a": "b"}));
        assert_eq!(of("neither"), Value::Null);
        assert_eq!(read(br#"{"bodyBase64": "AA=="}"#), Value::Null);
        assert_eq!(read(br#"{"bodyBase64": "eyJhIjoi/yJ9"}"#), json!({"a": "\u{fffd}"}));
        assert_eq!(read(b"no object"), Value::Null);
    }

    #[test]
    fn a_body_that_is_not_the_recorded_one_is_refused() {
        let recorded =
            |body: &str| ObjectDigest { size_bytes: body.len() as u64, checksum: hex::encode(Sha256::digest(body)) };
        let object = json!({"source": "stripe", "body": r#"{"total": 250}"#}).to_string();
        let read = |expected: &str| verified_body("t/webhooks/x", object.as_bytes(), &recorded(expected));
        assert_eq!(read(r#"{"total": 250}"#).expect("as recorded"), br#"{"total": 250}"#);
        for other in [r#"{"total": 999}"#, ""] {
            assert!(matches!(read(other), Err(StorageError::Integrity(_))), "{other}");
        }
    }
}
