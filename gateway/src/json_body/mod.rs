//! JSON bodies: parsed to a tree, then deserialised with typed errors that name the field.
//!
//! serde_json reports what is wrong as an English sentence. Here `Fault` is the error type of the deserialiser itself, so
//! that no sentence has to be parsed.

mod deserializer;
mod fault;
mod node;

use fault::Fault;
use node::Node;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error("not JSON (line {line}, column {column})")]
    Syntax { line: usize, column: usize },
    /// `field` is a path (`options.blockSize`), or `body` where none is known.
    #[error("{field}: {reason}")]
    Field { field: String, reason: String },
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self::Syntax { line: error.line(), column: error.column() }
    }
}

/// Deserialises JSON text.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    let node: Node = serde_json::from_slice(text)?;
    from_node(&node)
}

/// Deserialises a JSON value.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, JsonError> {
    let node = Node::deserialize(value)?;
    from_node(&node)
}

fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, JsonError> {
    serde_path_to_error::deserialize(node).map_err(|error| {
        let field = field(error.path(), error.inner());
        JsonError::Field { field, reason: error.inner().to_string() }
    })
}

/// The path of the field that is wrong.
///
/// A missing field is not in the path, which ends at its parent. Nor is an unknown field of an object that serde buffers
/// (an enum with a tag); the path of anything else in such an object ends at the object.
fn field(path: &Path, fault: &Fault) -> String {
    let mut names: Vec<String> = Vec::new();
    if path.iter().next().is_some() {
        names.push(path.to_string());
    }
    let ends_with = |name: &str| matches!(path.iter().next_back(), Some(Segment::Map { key }) if key == name);
    match fault {
        Fault::Missing(name) => names.push((*name).to_owned()),
        Fault::Unknown { name, .. } | Fault::Duplicate { name } if !ends_with(name) => names.push(name.clone()),
        _ => {}
    }
    if names.is_empty() { "body".to_owned() } else { names.join(".") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde alone")]
    struct Body {
        block_size: u32,
        role: Option<Rank>,
        inner: Option<Box<Body>>,
        #[serde(default)]
        list: Vec<u8>,
        action: Option<Action>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "snake_case")]
    enum Rank {
        Viewer,
        Owner,
    }

    #[derive(Deserialize, Debug)]
    #[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde alone")]
    enum Action {
        Send { to: String },
    }

    #[test]
    fn a_wrong_field_is_named_by_its_path_and_the_reason_says_what_is_expected() {
        for (body, field, reason) in [
            (r#"{"blockSize":"9"}"#, "blockSize", "expected an integer, found a string"),
            (r#"{"blockSize":1.5}"#, "blockSize", "expected an integer, found a number"),
            (r#"{"blockSize":-1}"#, "blockSize", "expected an integer from 0 to 4294967295"),
            (r#"{"blockSize":1,"role":"emperor"}"#, "role", "`emperor` is not one of `viewer`, `owner`"),
            (r#"{"blockSize":1,"role":7}"#, "role", "expected a string, found an integer"),
            (
                r#"{"blockSize":1,"inner":{"blockSize":-1}}"#,
                "inner.blockSize",
                "expected an integer from 0 to 4294967295",
            ),
            (r#"{"blockSize":1,"list":[1,256]}"#, "list[1]", "expected an integer from 0 to 255"),
            (r#"{"blockSize":1,"list":{}}"#, "list", "expected an array, found an object"),
            (r#"{}"#, "blockSize", "is required"),
            (r#"{"blockSize":1,"inner":{}}"#, "inner.blockSize", "is required"),
            (r#"{"blockSize":1,"blockSize":2}"#, "blockSize", "occurs twice"),
            (r#"{"blockSize":1,"action":{"type":"send"}}"#, "action.to", "is required"),
            (r#"{"blockSize":1,"action":{"to":"x"}}"#, "action.type", "is required"),
            (r#"{"blockSize":1,"action":{"type":"send","to":7}}"#, "action", "expected a string, found an integer"),
            (r#"[1]"#, "body", "expected an object, found an array"),
            (r#""x""#, "body", "expected an object, found a string"),
        ] {
            match parse::<Body>(body.as_bytes()) {
                Err(JsonError::Field { field: found, reason: given }) => {
                    assert_eq!((found.as_str(), given.as_str()), (field, reason), "{body}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_unknown_field_is_named_with_the_known_ones() {
        for (body, field) in [
            (r#"{"blockSize":1,"more":1}"#, "more"),
            (r#"{"blockSize":1,"inner":{"blockSize":1,"inner":{"blockSize":1,"inner2":1}}}"#, "inner.inner.inner2"),
            (r#"{"blockSize":1,"action":{"type":"send","to":"x","more":1}}"#, "action.more"),
        ] {
            match parse::<Body>(body.as_bytes()) {
                Err(JsonError::Field { field: found, reason }) => {
                    assert_eq!(found, field);
                    assert!(reason.starts_with("is not a known field; known: `"), "{reason}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn numbers_that_would_be_changed_are_refused() {
        for text in ["9007199254740992", "-9007199254740992", "123456789012345678901", "1e300", "1e16"] {
            let body = format!(r#"{{"a":{{"b":[1,{text}]}}}}"#);
            match parse::<BTreeMap<String, Value>>(body.as_bytes()) {
                Err(JsonError::Field { reason, .. }) => {
                    assert!(reason.starts_with("expected a number from"), "{reason}")
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        let most = parse::<u64>(b"9007199254740992").expect_err("refused").to_string();
        assert_eq!(most, "body: expected an integer from 0 to 9007199254740991");
        assert_eq!(parse::<i64>(b"-9007199254740991").expect("exact"), -9_007_199_254_740_991);
    }

    #[test]
    fn text_that_is_no_json_is_a_syntax_error() {
        for text in ["{", "{\"a\":1} x", ""] {
            assert!(matches!(parse::<Value>(text.as_bytes()), Err(JsonError::Syntax { .. })), "{text}");
        }
    }

    #[test]
    fn values_are_what_serde_json_reads() {
        #[derive(Deserialize, Debug, PartialEq)]
        enum Shape {
            Point,
            Circle(f64),
            Square { side: i8 },
        }
        let text = r#"{"a":[null,true,-7,9007199254740991,1.5,"x",{"b":{}}]}"#;
        assert_eq!(parse::<Value>(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        let value = json!({"p": "Point", "c": {"Circle": 2}, "s": {"Square": {"side": -3}}});
        let shapes: BTreeMap<String, Shape> = from_value(&value).unwrap();
        let expected = [("p", Shape::Point), ("c", Shape::Circle(2.0)), ("s", Shape::Square { side: -3 })];
        assert_eq!(shapes, expected.map(|(name, shape)| (name.to_owned(), shape)).into());
        assert_eq!(parse::<(u8, Option<String>)>(br#"[1, null]"#).unwrap(), (1, None));
        assert!(parse::<(u8, Option<String>)>(br#"[1, null, 2]"#).is_err());
    }
}
