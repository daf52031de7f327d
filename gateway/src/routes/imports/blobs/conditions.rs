//! Conditional and partial requests for an object (RFC 9110, sections 13 and 14), as S3 answers them: one range at most, and what
//! cannot be understood is ignored.

use std::{ops::Range, time::SystemTime};

use headers::{ETag, Header, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince, LastModified};
use http::{HeaderMap, header};
use http_range_header::StartPosition;

/// What of the object the answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    Whole,
    /// Not empty, and within the object.
    Part(Range<u64>),
    /// The client has the object (304).
    NotModified,
    /// The object is not the one that the client means (412).
    OtherObject,
    /// The range begins after the end of the object (416).
    OutsideObject,
}

/// The object as it is stored. `None`: the store gave no entity tag.
#[derive(Debug, Clone)]
pub struct Validators {
    pub tag: Option<ETag>,
    pub modified: SystemTime,
}

/// Evaluates the conditions in the order of RFC 9110, 13.2.2.
pub fn select(headers: &HeaderMap, stored: &Validators, size: u64) -> Selection {
    let Validators { tag, modified } = stored;
    let meant = match typed::<IfMatch>(headers) {
        Some(tags) => tags.is_any() || tag.as_ref().is_some_and(|tag| tags.precondition_passes(tag)),
        None => typed::<IfUnmodifiedSince>(headers).is_none_or(|since| since.precondition_passes(*modified)),
    };
    if !meant {
        return Selection::OtherObject;
    }
    let changed = match typed::<IfNoneMatch>(headers) {
        Some(tags) => tag.as_ref().is_none_or(|tag| tags.precondition_passes(tag)),
        None => typed::<IfModifiedSince>(headers).is_none_or(|since| since.is_modified(*modified)),
    };
    if !changed {
        return Selection::NotModified;
    }
    let last_modified = LastModified::from(*modified);
    let continues =
        typed::<IfRange>(headers).is_none_or(|range| !range.is_modified(tag.as_ref(), Some(&last_modified)));
    match headers.get(header::RANGE).and_then(|value| value.to_str().ok()).filter(|_| continues) {
        Some(range) => part(range, size),
        None => Selection::Whole,
    }
}

fn part(range: &str, size: u64) -> Selection {
    // Another unit or a wrong form is ignored, and so are several ranges.
    let Ok(parsed) = http_range_header::parse_range_header(range) else { return Selection::Whole };
    // More of the end than there is means all of it.
    if let [one] = &parsed.ranges[..]
        && let StartPosition::FromLast(last) = one.start
        && last >= size
        && size > 0
    {
        return Selection::Part(0..size);
    }
    match parsed.validate(size).as_deref() {
        Ok([one]) => Selection::Part(*one.start()..*one.end() + 1),
        Ok(_) => Selection::Whole,
        Err(_) => match &parsed.ranges[..] {
            [one] => match one.start {
                // It ends before it begins: of a wrong form.
                StartPosition::Index(first) if first < size => Selection::Whole,
                StartPosition::Index(_) | StartPosition::FromLast(_) => Selection::OutsideObject,
            },
            _ => Selection::Whole,
        },
    }
}

/// A header of the request; `None` as well when it has a wrong form.
fn typed<H: Header>(headers: &HeaderMap) -> Option<H> {
    // A list of tags is decoded from no header too, as an empty one.
    headers.contains_key(H::name()).then(|| H::decode(&mut headers.get_all(H::name()).iter()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderName, HeaderValue};

    use super::*;

    const BEFORE: &str = "Sat, 29 Nov 2025 00:00:00 GMT";
    const THEN: &str = "Sun, 30 Nov 2025 00:00:00 GMT";

    fn selected(pairs: &[(&'static str, &str)]) -> Selection {
        let stored = Validators {
            tag: "\"a1\"".parse().ok(),
            // 0.4 s after what an HTTP date can say.
            modified: SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_460_800_400),
        };
        let pairs = pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_str(v).unwrap()));
        select(&pairs.collect(), &stored, 10)
    }

    #[test]
    fn a_range_selects_a_part() {
        for (range, selection) in [
            ("bytes=0-3", Selection::Part(0..4)),
            ("bytes=4-", Selection::Part(4..10)),
            ("bytes=8-99", Selection::Part(8..10)),
            ("bytes=-3", Selection::Part(7..10)),
            ("bytes=-99", Selection::Part(0..10)),
            ("bytes=10-", Selection::OutsideObject),
            ("bytes=0-1,4-5", Selection::Whole),
            ("bytes=5-2", Selection::Whole),
            ("lines=1-2", Selection::Whole),
            ("nonsense", Selection::Whole),
        ] {
            assert_eq!(selected(&[("range", range)]), selection, "{range}");
        }
    }

    #[test]
    fn conditions_are_evaluated_in_the_order_of_the_standard() {
        for (headers, selection) in [
            (vec![], Selection::Whole),
            (vec![("if-none-match", "\"a1\"")], Selection::NotModified),
            (vec![("if-none-match", "*")], Selection::NotModified),
            (vec![("if-none-match", "W/\"a1\"")], Selection::NotModified),
            (vec![("if-none-match", "\"b2\"")], Selection::Whole),
            (vec![("if-modified-since", THEN)], Selection::NotModified),
            (vec![("if-modified-since", BEFORE)], Selection::Whole),
            (vec![("if-none-match", "\"b2\""), ("if-modified-since", THEN)], Selection::Whole),
            (vec![("if-match", "\"b2\"")], Selection::OtherObject),
            (vec![("if-match", "\"a1\""), ("range", "bytes=0-0")], Selection::Part(0..1)),
            (vec![("if-unmodified-since", BEFORE)], Selection::OtherObject),
            (vec![("if-unmodified-since", THEN)], Selection::Whole),
            (vec![("if-range", "\"a1\""), ("range", "bytes=1-2")], Selection::Part(1..3)),
            (vec![("if-range", "\"b2\""), ("range", "bytes=1-2")], Selection::Whole),
            (vec![("if-range", "W/\"a1\""), ("range", "bytes=1-2")], Selection::Whole),
            (vec![("if-range", THEN), ("range", "bytes=1-2")], Selection::Part(1..3)),
            (vec![("if-range", BEFORE), ("range", "bytes=1-2")], Selection::Whole),
            (vec![("if-modified-since", "yesterday")], Selection::Whole),
        ] {
            assert_eq!(selected(&headers), selection, "{headers:?}");
        }
    }
}
