//! RFC 8785 text: the one form in which event data is hashed and stored, so that any client can rebuild the bytes.

use std::ops::Range;

use serde::Serialize;

/// The canonical text of a value. Fails on floats that JSON cannot say, and never on the types of this crate.
pub fn canonical(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut text = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut text, value)?;
    // What serde_json writes is canonical but for numbers and for the order of fields. Where the numbers are whole and the
    // keys plain, as in every event of ours, putting the fields in order is several times faster than the general way.
    match Ordered::of(&text).map(String::from_utf8) {
        Some(Ok(ordered)) => Ok(ordered),
        _ => serde_json_canonicalizer::to_string(value),
    }
}

/// Bytes that most values take less than.
const USUAL: usize = 1_024;

/// Integers up to 2^53 are written alike by every JSON writer.
const EXACT: u64 = 1 << 53;

/// Copies the text of one value, the fields of each object sorted. Every step answers `None` at what is not plain: a number
/// that is not whole or not exact, or a key on which the orders of UTF-8 and UTF-16 could differ.
struct Ordered<'t> {
    text: &'t [u8],
    at: usize,
    out: Vec<u8>,
    /// Of the objects that are open: each field's key in `text`, and the field in `out`.
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl<'t> Ordered<'t> {
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

    /// Puts the fields of the innermost object, which begin at `first`, in the order of their keys.
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

    /// Answers where the string stands, without its quotes.
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
        (whole <= EXACT).then_some(())
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

    /// A tree whose objects write their fields in an order of their own.
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
        fn every_value_has_one_text(tree in tree(), reversed: bool) {
            let standard = serde_json_canonicalizer::to_string(&tree).unwrap();
            prop_assert_eq!(&canonical(&tree).unwrap(), &standard);
            prop_assert_eq!(&canonical(&Unsorted(tree, reversed)).unwrap(), &standard);
        }
    }

    #[test]
    fn plain_values_are_put_in_order_without_the_general_way() {
        let ordered = |text: &str| Ordered::of(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        let nested = r#"{"b":[{"z":-1,"a":"\"}"},null,[]],"a":{},"ab":true}"#;
        assert_eq!(ordered(nested).unwrap(), r#"{"a":{},"ab":true,"b":[{"a":"\"}","z":-1},null,[]]}"#);
        for not_plain in ["1.5", "[9007199254740993]", r#"{"é":1}"#, r#"{"\n":1}"#] {
            assert_eq!(ordered(not_plain), None, "{not_plain}");
        }
    }

    #[test]
    fn numbers_and_keys_that_are_not_plain_are_written_as_the_standard_says() {
        let text = |text: &str| canonical(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
        assert_eq!(text(r#"{"b":1.0,"a":1e21}"#), r#"{"a":1e+21,"b":1}"#);
        assert_eq!(text("18446744073709551615"), "18446744073709552000");
        assert_eq!(text("{\"\u{ffff}\":1,\"\u{1f600}\":2}"), "{\"\u{1f600}\":2,\"\u{ffff}\":1}");
    }
}
