//! RFC 8785 canonical JSON: the form in which event data is hashed and stored, so that any client can rebuild the bytes.

use std::ops::Range;

use serde::Serialize;

/// The canonical text of a value.
///
/// # Errors
/// Floats that JSON cannot represent; never for the types of this crate.
pub fn canonical(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut text = Vec::with_capacity(CAPACITY);
    serde_json::to_writer(&mut text, value)?;
    // serde_json's output is canonical except for numbers and the order of fields. With integers and plain keys, as in all
    // events, sorting the fields is several times faster than the general canonicaliser.
    match FieldSorter::of(&text).map(String::from_utf8) {
        Some(Ok(ordered)) => Ok(ordered),
        _ => serde_json_canonicalizer::to_string(value),
    }
}

/// Initial capacity; most values are smaller.
const CAPACITY: usize = 1_024;

/// Integers up to 2^53 have the same text in every JSON implementation.
const MAX_EXACT: u64 = 1 << 53;

/// Copies the text of one value with the fields of each object sorted. Each step returns `None` for what needs the general
/// canonicaliser: a number that is not an exact integer, or a key whose UTF-8 and UTF-16 order could differ.
struct FieldSorter<'t> {
    text: &'t [u8],
    at: usize,
    out: Vec<u8>,
    /// For the fields of all open objects: the key's range in `text`, and the field's range in `out`.
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl<'t> FieldSorter<'t> {
    fn of(text: &'t [u8]) -> Option<Vec<u8>> {
        let mut whole = Self { text, at: 0, out: Vec::with_capacity(text.len()), fields: Vec::new() };
        whole.value()?;
        (whole.at == text.len()).then_some(whole.out)
    }

    fn value(&mut self) -> Option<()> {
        match self.text.get(self.at)? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.copy_while(|byte| byte.is_ascii_alphabetic()).map(|_| ()),
        }
    }

    fn object(&mut self) -> Option<()> {
        self.byte();
        let (open, first) = (self.fields.len(), self.out.len());
        while self.text.get(self.at)? != &b'}' {
            if self.text[self.at] == b',' {
                self.byte();
            }
            let begin = self.out.len();
            let key = self.string()?;
            if !self.text[key.clone()].iter().all(|byte| byte.is_ascii() && *byte != b'\\') {
                return None;
            }
            self.byte();
            self.value()?;
            self.fields.push((key, begin..self.out.len()));
        }
        self.sort(open, first);
        self.byte();
        Some(())
    }

    /// Sorts the fields of the innermost object, which begin at `first`, by key.
    fn sort(&mut self, open: usize, first: usize) {
        let text = self.text;
        let key = |field: &(Range<usize>, Range<usize>)| &text[field.0.clone()];
        if !self.fields[open..].is_sorted_by_key(key) {
            let written = self.out.split_off(first);
            self.fields[open..].sort_by_key(key);
            for (n, (_, field)) in self.fields[open..].iter().enumerate() {
                if n > 0 {
                    self.out.push(b',');
                }
                self.out.extend_from_slice(&written[field.start - first..field.end - first]);
            }
        }
        self.fields.truncate(open);
    }

    fn array(&mut self) -> Option<()> {
        self.byte();
        while self.text.get(self.at)? != &b']' {
            if self.text[self.at] == b',' {
                self.byte();
            }
            self.value()?;
        }
        self.byte();
        Some(())
    }

    /// Returns the string's range without its quotes.
    fn string(&mut self) -> Option<Range<usize>> {
        let begin = self.at;
        self.at += 1;
        loop {
            match self.text.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.out.extend_from_slice(&self.text[begin..self.at]);
        Some(begin + 1..self.at - 1)
    }

    fn number(&mut self) -> Option<()> {
        let token = self.copy_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))?;
        let digits = token.strip_prefix(b"-").unwrap_or(token);
        let whole: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
        (whole <= MAX_EXACT).then_some(())
    }

    fn copy_while(&mut self, belongs: impl Fn(u8) -> bool) -> Option<&'t [u8]> {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
        self.at += length;
        self.out.extend_from_slice(&rest[..length]);
        (length > 0).then_some(&rest[..length])
    }

    fn byte(&mut self) {
        self.out.push(self.text[self.at]);
        self.at += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// A tree whose objects serialise their fields unsorted.
    #[derive(Debug, Clone)]
    struct Unsorted(Value, bool);

    impl Serialize for Unsorted {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            let inner = |value: &Value| Self(value.clone(), !self.1);
            match &self.0 {
                Value::Object(fields) if self.1 => s.collect_map(fields.iter().rev().map(|(k, v)| (k, inner(v)))),
                Value::Object(fields) => {
                    let (even, odd): (Vec<_>, Vec<_>) = fields.iter().enumerate().partition(|(n, _)| n % 2 == 0);
                    s.collect_map(odd.into_iter().chain(even).map(|(_, (k, v))| (k, inner(v))))
                }
                Value::Array(items) => s.collect_seq(items.iter().map(inner)),
                leaf => leaf.serialize(s),
            }
        }
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (0_u64..100).prop_map(Value::from),
            (-1e9_f64..1e9).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let fields = prop_oneof![
                prop::collection::btree_map("[a-zA-Z]{1,6}", inner.clone(), 0..6),
                prop::collection::btree_map(any::<String>(), inner.clone(), 0..6),
            ];
            prop_oneof![
                prop::collection::vec(inner, 0..6).prop_map(Value::from),
                fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_has_one_canonical_text(tree in tree(), reversed: bool) {
            let standard = serde_json_canonicalizer::to_string(&tree).unwrap();
            prop_assert_eq!(&canonical(&tree).unwrap(), &standard);
            prop_assert_eq!(&canonical(&Unsorted(tree, reversed)).unwrap(), &standard);
        }
    }

    #[test]
    fn plain_values_are_sorted_without_the_general_canonicaliser() {
        let ordered = |text: &str| FieldSorter::of(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        let nested = r#"{"b":[{"z":-1,"a":"\"}"},null,[]],"a":{},"ab":true}"#;
        assert_eq!(ordered(nested).unwrap(), r#"{"a":{},"ab":true,"b":[{"a":"\"}","z":-1},null,[]]}"#);
        for not_plain in ["1.5", "[9007199254740993]", r#"{"é":1}"#, r#"{"\n":1}"#] {
            assert_eq!(ordered(not_plain), None, "{not_plain}");
        }
    }

    #[test]
    fn other_numbers_and_keys_are_canonicalised_by_the_standard() {
        let text = |text: &str| canonical(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
        assert_eq!(text(r#"{"b":1.0,"a":1e21}"#), r#"{"a":1e+21,"b":1}"#);
        assert_eq!(text("18446744073709551615"), "18446744073709552000");
        assert_eq!(text("{\"\u{ffff}\":1,\"\u{1f600}\":2}"), "{\"\u{1f600}\":2,\"\u{ffff}\":1}");
    }
}
