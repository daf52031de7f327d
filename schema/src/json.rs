//! RFC 8785 text: the one form in which event data is hashed and stored, so that any client can rebuild the bytes.

use serde::Serialize;

/// The canonical text of a value. Fails on floats that JSON cannot say, and never on the types of this crate.
pub fn canonical(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json_canonicalizer::to_string(value)
}
