//! Cursors: opaque texts that say where a page ended. Base64 of JSON inside; only this crate reads them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// A cursor that this list did not give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this list gave: take `nextCursor` of a page with the same filter and sort")]
pub struct BadCursor;

pub(crate) fn write(at: &impl Serialize) -> Option<String> {
    serde_json::to_vec(at).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

pub(crate) fn read<T: DeserializeOwned>(cursor: &str) -> Result<T, BadCursor> {
    // Longer than any that was given out: not worth decoding.
    if cursor.len() > 1_024 {
        return Err(BadCursor);
    }
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| BadCursor)?;
    serde_json::from_slice(&json).map_err(|_| BadCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_reads_back() {
        let text = write(&("b", 7)).unwrap();
        assert_eq!(read::<(String, i32)>(&text), Ok(("b".into(), 7)));
        for bad in ["", "!", "e30", &text[1..], &"a".repeat(2_000)] {
            assert_eq!(read::<(String, i32)>(bad), Err(BadCursor), "{bad}");
        }
    }
}
