//! Cursors: where a page ended, as opaque text (base64 of JSON) that only this crate reads.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// A text that is no cursor of this list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list: use `nextCursor` of a page with the same filter and sort")]
pub struct BadCursor;

pub(crate) fn write(end: &impl Serialize) -> Option<String> {
    serde_json::to_vec(end).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

pub(crate) fn read<T: DeserializeOwned>(cursor: &str) -> Result<T, BadCursor> {
    // Longer than any cursor of ours.
    if cursor.len() > 1_024 {
        return Err(BadCursor);
    }
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| BadCursor)?;
    // No text that Postgres stores has U+0000, and it would refuse the query.
    if json.windows(6).any(|part| part == b"\\u0000") {
        return Err(BadCursor);
    }
    serde_json::from_slice(&json).map_err(|_| BadCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_written_cursors_are_read() {
        let text = write(&("b", 7)).unwrap();
        assert_eq!(read::<(String, i32)>(&text), Ok(("b".into(), 7)));
        for bad in ["", "!", "e30", &text[1..], &"a".repeat(2_000)] {
            assert_eq!(read::<(String, i32)>(bad), Err(BadCursor), "{bad}");
        }
        assert_eq!(read::<(String, i32)>(&write(&("a\0b", 7)).unwrap()), Err(BadCursor));
    }
}
