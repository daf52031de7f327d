//! The body of a stored delivery, as JSON or as the fields of a form.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use crate::rules::safe_text;

/// Reads the body from a delivery's stored object, made safe; null when it is neither JSON nor a form.
pub fn payload(object: &[u8]) -> Value {
    let Some(body) = body(object) else { return Value::Null };
    match safe_text::json(&body) {
        Some(document) => document,
        None if body.contains(&b'=') => {
            let fields = safe_text::form(&body).into_iter().map(|(name, value)| (name, value.into()));
            fields.collect::<Map<String, Value>>().into()
        }
        None => Value::Null,
    }
}

/// The body as it came.
pub fn body(object: &[u8]) -> Option<Vec<u8>> {
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
        let of = |body: &str| payload(json!({"source": "generic", "body": body}).to_string().as_bytes());
        assert_eq!(of(r#"{"order": {"total": 250}}"#), json!({"order": {"total": 250}}));
        assert_eq!(of("Body=Hi+there&From=%2B1"), json!({"Body": "Hi there", "From": "+1"}));
        assert_eq!(of("{\"a\":\"b\\u0000\"}"), json!({"a": "b"}));
        assert_eq!(of("neither"), Value::Null);
        assert_eq!(payload(br#"{"bodyBase64": "AA=="}"#), Value::Null);
        assert_eq!(payload(br#"{"bodyBase64": "eyJhIjoi/yJ9"}"#), json!({"a": "\u{fffd}"}));
        assert_eq!(payload(b"no object"), Value::Null);
    }
}
