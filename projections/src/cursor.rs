//! Cursors: where a page ended, as opaque text (base64 of JSON) that only this crate reads.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// Text that is not a valid cursor of this list.
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

/// The key in a cursor of this list, whose pages end with `(list, key)`.
pub(crate) fn read_key<K: DeserializeOwned>(list: &str, cursor: Option<&str>) -> Result<Option<K>, BadCursor> {
    match cursor.map(read::<(String, K)>).transpose()? {
        Some((of, key)) if of == list => Ok(Some(key)),
        Some(_) => Err(BadCursor),
        None => Ok(None),
    }
}

/// Cuts a page out of rows, which are one more than `limit` when there is a next page. Returns whether there is one, and its
/// cursor; `end` is what the cursor holds.
pub(crate) fn cut<R, E: Serialize>(rows: &mut Vec<R>, limit: u32, end: impl Fn(&R) -> E) -> (bool, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    (has_more, rows.last().filter(|_| has_more).and_then(|row| write(&end(row))))
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
        assert_eq!(read_key("b", Some(&text)), Ok(Some(7)));
        assert_eq!(read_key::<i32>("another list", Some(&text)), Err(BadCursor));
        assert_eq!(read_key::<i32>("b", None), Ok(None));
    }

    #[test]
    fn a_page_has_a_cursor_when_there_is_a_row_beyond_it() {
        let cut_at = |limit| {
            let mut rows = vec![1, 2, 3];
            let (has_more, next) = cut(&mut rows, limit, |row| ("b", *row));
            (rows, has_more, read_key::<i32>("b", next.as_deref()))
        };
        assert_eq!(cut_at(3), (vec![1, 2, 3], false, Ok(None)));
        assert_eq!(cut_at(2), (vec![1, 2], true, Ok(Some(2))));
    }
}
