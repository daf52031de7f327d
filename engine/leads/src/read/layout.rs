//! How a file is read: decided once when its upload completes, stored, and used by every block that reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Field,
    read::{
        csv_row::Dialect,
        encoding::TextEncoding,
        mapping::{Choice, Choices, Mapping},
    },
};

/// How a file is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    pub encoding: TextEncoding,
    /// `,` `;` `|` or a tab; another character if the file or the caller says so.
    pub delimiter: char,
    /// The line of the header; `None`: the file has none.
    pub header_line: Option<u64>,
    /// Byte offset and line of the first row.
    pub offset: u64,
    pub line: u64,
    pub mapping: Mapping,
    /// The numbers with a country code are mostly of other countries: ten digits without one are not read as +1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign_numbers: bool,
}

impl Layout {
    pub fn dialect(&self) -> Dialect {
        Dialect { delimiter: u8::try_from(self.delimiter).unwrap_or(b','), encoding: self.encoding }
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.mapping.columns().len()
    }
}

/// What a caller says about a file; the rest is found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadOptions {
    pub encoding: Option<TextEncoding>,
    pub delimiter: Option<u8>,
    pub header: HeaderChoice,
    pub mapping: Choices,
    /// The tenant's own mapping; headers that a file lacks are no error.
    pub saved: Choices,
}

/// Where the header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderChoice {
    #[default]
    Auto,
    /// The file has none: its columns are `column_1`, `column_2` …
    Absent,
    /// On this line, from 1.
    Line(u64),
}

/// The option that is wrong, and what was expected.
pub type WrongOption = (String, String);

impl ReadOptions {
    /// Options as text, like those of a URL or a command line. `mapping` is an object: header to field, `extra` or `ignore`.
    pub fn parse(
        encoding: Option<&str>,
        delimiter: Option<&str>,
        header: Option<&str>,
        mapping: Option<&Value>,
    ) -> Result<Self, Vec<WrongOption>> {
        let mut wrong = Vec::new();
        let mut fail = |name: &str, expected: String| wrong.push((name.to_owned(), expected));
        let mut options = Self::default();
        match encoding.map(TextEncoding::parse).transpose() {
            Ok(encoding) => options.encoding = encoding,
            Err(error) => fail("encoding", error.to_string()),
        }
        match delimiter.map(|text| delimiter_of(text).ok_or(())).transpose() {
            Ok(delimiter) => options.delimiter = delimiter,
            Err(()) => fail("delimiter", "comma, semicolon, tab, pipe, or one character of punctuation".into()),
        }
        match header {
            None | Some("auto" | "") => {}
            Some("none") => options.header = HeaderChoice::Absent,
            Some(line) => match line.parse() {
                Ok(line @ 1..=1_000) => options.header = HeaderChoice::Line(line),
                _ => fail("header", "auto, none, or the header's line from 1 to 1000".into()),
            },
        }
        match mapping.map(choices).transpose() {
            Ok(mapping) => options.mapping = mapping.unwrap_or_default(),
            Err(errors) => wrong.extend(errors),
        }
        if wrong.is_empty() { Ok(options) } else { Err(wrong) }
    }
}

fn delimiter_of(text: &str) -> Option<u8> {
    match text {
        "comma" => Some(b','),
        "semicolon" => Some(b';'),
        "tab" | "\\t" | "\t" => Some(b'\t'),
        "pipe" => Some(b'|'),
        other => delimiter_byte(other),
    }
}

/// One character of punctuation that is no quote.
pub(super) fn delimiter_byte(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [b] if (b.is_ascii_punctuation() && !b"\"'\\.-+@=_".contains(b)) || *b == b'\t' => Some(*b),
        _ => None,
    }
}

/// Columns of a mapping at most.
const MAX_CHOICES: usize = 512;

/// A mapping as JSON: `{"Firma": "company_name", "Memo": "extra", "Geheim": "ignore"}`.
pub fn choices(json: &Value) -> Result<Choices, Vec<WrongOption>> {
    let object = json.as_object().filter(|object| object.len() <= MAX_CHOICES);
    let object = object.ok_or_else(|| vec![("mapping".to_owned(), "an object: header to field".to_owned())])?;
    let (mut chosen, mut wrong) = (BTreeMap::new(), Vec::new());
    for (header, value) in object {
        match choice(value) {
            Some(choice) => drop(chosen.insert(header.trim().to_owned(), choice)),
            None => wrong.push((format!("mapping.{header}"), "a field like company_name, extra, or ignore".to_owned())),
        }
    }
    if wrong.is_empty() { Ok(chosen) } else { Err(wrong) }
}

fn choice(value: &Value) -> Option<Choice> {
    match value {
        Value::Null => Some(Choice::Extra),
        Value::String(name) => match name.as_str() {
            "extra" => Some(Choice::Extra),
            "ignore" => Some(Choice::Ignore),
            field => Field::parse(field).map(Choice::Field),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_parsed_or_named() {
        let mapping = json!({"Firma": "company_name", "Memo": null, "Geheim": "ignore"});
        let options = ReadOptions::parse(Some("CP1251"), Some("tab"), Some("3"), Some(&mapping)).unwrap();
        assert_eq!(options.encoding.unwrap().name(), "windows-1251");
        assert_eq!((options.delimiter, options.header), (Some(b'\t'), HeaderChoice::Line(3)));
        assert_eq!(options.mapping["Firma"], Choice::Field(Field::CompanyName));
        assert_eq!((options.mapping["Memo"], options.mapping["Geheim"]), (Choice::Extra, Choice::Ignore));
        let none = ReadOptions::parse(None, None, Some("none"), None).unwrap();
        assert_eq!(none.header, HeaderChoice::Absent);
        let wrong = json!({"Firma": "compani", "Tel": 7});
        let errors = ReadOptions::parse(Some("klingon"), Some("ab"), Some("0"), Some(&wrong)).unwrap_err();
        let named: Vec<&str> = errors.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(named, ["encoding", "delimiter", "header", "mapping.Firma", "mapping.Tel"]);
        assert!(ReadOptions::parse(None, None, None, Some(&json!([]))).is_err());
    }
}
