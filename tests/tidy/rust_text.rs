//! A scanner for Rust source: finds comments, literals and test items. Standard library only.

use std::{collections::BTreeSet, ops::Range, path::PathBuf};

use super::{rust_files, text};

const TEST_ATTRIBUTE: &str = "#[cfg(test)]";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Comment,
    /// The content, without quotes and raw-string hashes.
    Text,
    Char,
}

/// Comments and literals in order, as byte ranges; everything between them is code.
fn tokens(source: &str) -> Vec<(Token, Range<usize>)> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let token = comment(source, at).or_else(|| literal(source, at));
        at = token.as_ref().map_or(at + 1, |(_, _, end)| *end);
        found.extend(token.map(|(token, range, _)| (token, range)));
    }
    found
}

/// A token, the range to report, and where the scan continues.
type Scanned = (Token, Range<usize>, usize);

fn comment(source: &str, at: usize) -> Option<Scanned> {
    let rest = &source.as_bytes()[at..];
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        return Some((Token::Comment, at..at + length, at + length));
    }
    if !rest.starts_with(b"/*") {
        return None;
    }
    let (mut depth, mut length) = (0, 0);
    while length < rest.len() {
        match &rest[length..] {
            [b'/', b'*', ..] => (depth, length) = (depth + 1, length + 2),
            [b'*', b'/', ..] => (depth, length) = (depth - 1, length + 2),
            _ => length += 1,
        }
        if depth == 0 {
            break;
        }
    }
    Some((Token::Comment, at..at + length, at + length))
}

fn literal(source: &str, at: usize) -> Option<Scanned> {
    let bytes = source.as_bytes();
    match bytes[at] {
        b'"' => {
            let end = closing_quote(bytes, at + 1, b'"');
            Some((Token::Text, at + 1..end, end + 1))
        }
        b'r' if at == 0 || !is_word(bytes[at - 1]) || matches!(bytes[at - 1], b'b' | b'c') => raw_text(source, at),
        b'\'' if bytes.get(at + 1) == Some(&b'\\') => {
            let end = closing_quote(bytes, at + 1, b'\'');
            Some((Token::Char, at + 1..end, end + 1))
        }
        b'\'' => {
            // A character is followed by a quote; a lifetime is not.
            let end = at + 1 + source.get(at + 1..)?.chars().next()?.len_utf8();
            (bytes.get(end) == Some(&b'\'')).then_some((Token::Char, at + 1..end, end + 1))
        }
        _ => None,
    }
}

fn raw_text(source: &str, at: usize) -> Option<Scanned> {
    let rest = &source[at + 1..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let content = rest[hashes..].strip_prefix('"')?;
    let length = content.find(&format!("\"{}", "#".repeat(hashes)))?;
    let start = at + 1 + hashes + 1;
    Some((Token::Text, start..start + length, start + length + 1 + hashes))
}

fn closing_quote(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Replaces the ranges by spaces. Lines and byte offsets stay the same.
fn blanked(source: &str, ranges: impl Iterator<Item = Range<usize>>) -> String {
    let mut bytes = source.as_bytes().to_vec();
    for range in ranges {
        bytes[range].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    String::from_utf8(bytes).expect("whole characters are blanked")
}

/// The source with comments and the contents of literals blanked.
pub fn code(source: &str) -> String {
    blanked(source, tokens(source).into_iter().map(|(_, range)| range))
}

/// The source with comments blanked.
pub fn without_comments(source: &str) -> String {
    blanked(source, tokens(source).into_iter().filter(|(token, _)| *token == Token::Comment).map(|(_, range)| range))
}

/// The contents of all string literals, as written; a line break may stand in them.
pub fn strings(source: &str) -> Vec<&str> {
    let texts = tokens(source).into_iter().filter(|(token, _)| *token == Token::Text);
    texts.map(|(_, range)| &source[range]).collect()
}

/// Items under `#[cfg(test)]`, from the attribute to the end of the item.
fn test_items(source: &str) -> Vec<Range<usize>> {
    let code = code(source);
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices(TEST_ATTRIBUTE) {
        if items.last().is_none_or(|item| item.end <= start) {
            items.push(start..item_end(&code, start + TEST_ATTRIBUTE.len()));
        }
    }
    items
}

/// What ends an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Semicolon,
    SemicolonOrBrace,
    /// A field, a variant or a match arm.
    Comma,
}

fn end_of_kind(item: &str) -> End {
    let words: Vec<&str> = item.split(|c: char| !(c.is_alphanumeric() || c == '_')).take(8).collect();
    let mut words = words.into_iter().filter(|word| !["", "pub", "crate", "super", "in"].contains(word));
    match words.next().unwrap_or_default() {
        "const" if matches!(words.next(), Some("fn" | "unsafe" | "async" | "extern")) => End::SemicolonOrBrace,
        "use" | "const" | "static" | "type" | "let" => End::Semicolon,
        "mod" | "fn" | "struct" | "enum" | "trait" | "impl" | "union" | "macro_rules" | "async" | "unsafe"
        | "extern" => End::SemicolonOrBrace,
        _ => End::Comma,
    }
}

/// The end of the item that follows an attribute: its `;`, its closing brace, or the `,` of a field or variant.
fn item_end(code: &str, attribute_end: usize) -> usize {
    let mut start = attribute_end + white_space(&code[attribute_end..]);
    while code[start..].starts_with("#[") {
        start += group_end(&code[start..]);
        start += white_space(&code[start..]);
    }
    let kind = end_of_kind(&code[start..]);
    let mut depth = 0_i32;
    for (at, c) in code[start..].char_indices() {
        let end = start + at + c.len_utf8();
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' if depth == 0 => return start + at,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        let ends = match c {
            ';' => kind != End::Comma,
            '}' => kind == End::SemicolonOrBrace,
            ',' => kind == End::Comma,
            _ => false,
        };
        if ends && depth == 0 {
            return end;
        }
    }
    code.len()
}

fn white_space(code: &str) -> usize {
    code.len() - code.trim_start().len()
}

/// The length of the bracketed group that begins in `code`.
fn group_end(code: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' if depth == 1 => return at + 1,
            ']' | ')' | '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The source with all items under `#[cfg(test)]` blanked.
pub fn without_tests(source: &str) -> String {
    blanked(source, test_items(source).into_iter())
}

/// Lines of the source outside of test items.
pub fn lines_without_tests(source: &str) -> usize {
    let tests: usize = test_items(source).into_iter().map(|item| source[item].lines().count()).sum();
    source.lines().count() - tests
}

/// Files that only the tests compile: modules declared under `#[cfg(test)]`, and everything below `tests/`.
pub fn test_files() -> BTreeSet<PathBuf> {
    let files = rust_files();
    let mut found: BTreeSet<PathBuf> = files.iter().filter(|path| path.starts_with("tests")).cloned().collect();
    for path in &files {
        let source = text(path);
        for item in test_items(&source) {
            let Some((module, at)) = declared_module(&source[item]) else { continue };
            let folder = path.parent().expect("a folder");
            let children = match path.file_stem().and_then(|stem| stem.to_str()) {
                Some("mod" | "lib" | "main") => folder.to_owned(),
                stem => folder.join(stem.expect("a name")),
            };
            let file = at.map_or_else(|| children.join(format!("{module}.rs")), |at| folder.join(at));
            let below = children.join(&module);
            found.extend(files.iter().filter(|path| **path == file || path.starts_with(&below)).cloned());
        }
    }
    found
}

/// The name and the `#[path]` of `mod name;`; none for anything else.
fn declared_module(item: &str) -> Option<(String, Option<String>)> {
    let path = item.split_once("#[path = \"").and_then(|(_, rest)| rest.split_once('"')).map(|(path, _)| path.into());
    let declaration = item.lines().last()?.trim().strip_suffix(';')?;
    let name = declaration.strip_prefix("pub ").unwrap_or(declaration).strip_prefix("mod ")?;
    Some((name.to_owned(), path))
}

#[test]
fn comments_and_literals_are_blanked_and_lines_stay() {
    let source =
        "let a = \"b // c\\\"\"; // \"d\"\n/* e /* f */ g */ let h = r#\"i \" j\"#;\nlet k: &'static u8 = &b'\"';\n";
    let lines: Vec<String> = code(source).lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, ["leta=\"\";", "leth=r#\"\"#;", "letk:&'staticu8=&b'';"]);
    assert_eq!(strings(source), ["b // c\\\"", "i \" j"]);
    assert!(without_comments(source).contains("b // c") && !without_comments(source).contains("/* e"));
}

#[test]
fn only_test_items_are_left_out_of_the_count() {
    let source = "#[cfg(test)]\nmod golden;\nfn a() {}\n#[cfg(test)]\nuse b::{c, d};\n#[cfg(test)]\n#[derive(Debug)]\nstruct E {\n    f: u8,\n}\nfn g() {}\nenum H {\n    #[cfg(test)]\n    I,\n    J,\n}\n#[cfg(test)]\nmod tests {\n    fn k() { \"}\"; }\n}\nfn l() {}\n";
    assert_eq!(lines_without_tests(source), 6, "{}", without_tests(source));
    let left = without_tests(source);
    let left: Vec<&str> = left.split_whitespace().collect();
    assert_eq!(left.join(" "), "fn a() {} fn g() {} enum H { J, } fn l() {}");
}
