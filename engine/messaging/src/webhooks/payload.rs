//! The body of a stored delivery, as JSON or as the fields of a form.

use serde_json::{Map, Value};

/// Reads the body from a delivery's stored object; null when it is neither JSON nor a form.
pub fn payload(object: &[u8]) -> Value {
    let stored: Value = serde_json::from_slice(object).unwrap_or_default();
    let Some(body) = stored["body"].as_str() else { return Value::Null };
    match serde_json::from_str(body) {
        Ok(body) => body,
        Err(_) if body.contains('=') => {
            let fields = url::form_urlencoded::parse(body.as_bytes());
            let fields: Map<String, Value> = fields.map(|(name, value)| (name.into_owned(), value.into())).collect();
            fields.into()
        }
        Err(_) => Value::Null,
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
        assert_eq!(of("neither"), Value::Null);
        assert_eq!(payload(br#"{"bodyBase64": "AA=="}"#), Value::Null);
        assert_eq!(payload(b"no object"), Value::Null);
    }
}
