//! Text from outside, made safe once: Postgres and JSON take what these functions return, whatever was sent.
//!
//! Invalid UTF-8 and half surrogate pairs become U+FFFD; control characters, U+0000 among them, are removed.

use serde_json::{Map, Value};

/// Without control characters, except line breaks and tabs, and without a byte order mark.
pub fn clean(text: &str) -> String {
    let kept = |c: &char| *c != '\u{feff}' && (!c.is_control() || matches!(c, '\n' | '\t'));
    text.chars().filter(kept).collect()
}

/// The JSON document of a body; none where it is none.
pub fn json(body: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(body);
    let document = serde_json::from_str(&with_valid_strings(&text)).ok()?;
    Some(clean_value(document))
}

/// The fields of a form, in the order of the body.
pub fn form(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).map(|(name, value)| (clean(&name), clean(&value))).collect()
}

/// Whether a body looks like a form: every piece has a name and a `=`.
pub fn is_form(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    !body.is_empty()
        && !matches!(body[0], b'{' | b'[' | b'"' | b'<' | b'=')
        && body.split(|byte| *byte == b'&').all(|pair| pair.is_empty() || pair.contains(&b'='))
}

fn clean_value(value: Value) -> Value {
    match value {
        Value::String(text) => clean(&text).into(),
        Value::Array(items) => items.into_iter().map(clean_value).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (clean(&name), clean_value(value)));
            fields.collect::<Map<String, Value>>().into()
        }
        other => other,
    }
}

/// The same document with strings that a parser accepts: half a surrogate pair is `\ufffd`, a raw control character a space.
fn with_valid_strings(text: &str) -> String {
    let mut valid = String::with_capacity(text.len());
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut inside = false;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\\' if inside => push_escape(&mut valid, rest),
            '"' => {
                inside = !inside;
                valid.push('"');
                1
            }
            c if c.is_ascii_control() && inside => {
                valid.push(' ');
                1
            }
            c if c.is_ascii_control() && !c.is_ascii_whitespace() => 1,
            c => {
                valid.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    valid
}

/// Copies the escape at the start of `rest`; returns its length.
fn push_escape(valid: &mut String, rest: &str) -> usize {
    let Some(first) = unit(rest) else {
        let length = rest.chars().take(2).map(char::len_utf8).sum();
        valid.push_str(&rest[..length]);
        return length;
    };
    let low = || unit(&rest[6..]).is_some_and(|unit| (0xdc00..0xe000).contains(&unit));
    match first {
        0xd800..0xdc00 if low() => {
            valid.push_str(&rest[..12]);
            12
        }
        0xd800..0xe000 => {
            valid.push_str("\\ufffd");
            6
        }
        _ => {
            valid.push_str(&rest[..6]);
            6
        }
    }
}

/// The UTF-16 unit of `\uXXXX` at the start.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_string_of_a_document_is_made_safe() {
        for (body, text) in [
            (&br#"{"t":"STOP\u0000"}"#[..], "STOP"),
            (br#"{"t":"STOP \ud83d"}"#, "STOP \u{fffd}"),
            (br#"{"t":"\ude00 STOP"}"#, "\u{fffd} STOP"),
            (br#"{"t":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (br#"{"t":"\ud83d\n"}"#, "\u{fffd}\n"),
            (br#"{"t":"a\\u0000 b\\ud83d"}"#, "a\\u0000 b\\ud83d"),
            (b"{\"t\":\"ST\x01OP\x7f\"}", "ST OP "),
            (b"{\"t\":\"STOP\x00\"}\x00", "STOP "),
            (b"\xef\xbb\xbf{\"t\":\"caf\xe9\"}", "caf\u{fffd}"),
            (b"{\"t\":\"\xed\xa0\xbd\"}", "\u{fffd}\u{fffd}\u{fffd}"),
            ("{\"t\":\"a\u{85}b\\u009fc\"}".as_bytes(), "abc"),
            (br#"{"t":"line\r\nnext\tcell"}"#, "line\nnext\tcell"),
        ] {
            assert_eq!(json(body), Some(json!({ "t": text })), "{body:?}");
        }
        assert_eq!(json(br#"{"a\u0000":[{"b":"\u0001x"}]}"#), Some(json!({"a": [{"b": "x"}]})));
        for nothing in [&b""[..], b"no JSON", b"{\"t\":\"open", b"{\"t\":\"\\", b"{\"t\":\"\\u12", b"\xff\xfe"] {
            assert_eq!(json(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn every_field_of_a_form_is_made_safe() {
        let fields = form(b"Body=STOP%00&From=%2B1&Body=caf%E9");
        let expected = [("Body", "STOP"), ("From", "+1"), ("Body", "caf\u{fffd}")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(is_form(b"Body=STOP%00&From=1") && is_form(b"a="));
        assert!(!is_form(b"") && !is_form(b"hello") && !is_form(b"{\"a\":\"=\"}") && !is_form(b"a=1&b"));
    }
}
