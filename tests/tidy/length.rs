//! Rules for length: files and functions stay short.

use std::path::Path;

use super::{assert_none, rust_files, rust_text, text};

/// Longest a file may be, in lines without test items.
const FILE: usize = 300;
/// Longest a function may be, in lines.
const FUNCTION: usize = 60;

/// Files that may be longer, each with the one list it holds.
const LONG_FILES: &[(&str, &str)] = &[];

fn file_length(path: &Path) -> usize {
    rust_text::lines_without_tests(&text(path))
}

#[test]
fn no_file_is_long() {
    let mut long = Vec::new();
    for path in rust_files() {
        let (lines, name) = (file_length(&path), path.display().to_string());
        if lines > FILE && !LONG_FILES.iter().any(|(long, _)| *long == name) {
            long.push(format!("{name}: {lines} lines"));
        }
    }
    assert_none(&long, "a file has at most 300 lines without its test items");
    let unused = LONG_FILES.iter().filter(|(name, _)| file_length(Path::new(name)) <= FILE);
    let unused: Vec<String> = unused.map(|(name, _)| (*name).to_owned()).collect();
    assert_none(&unused, "an exception that is no longer needed");
}

/// Functions by their first line, as rustfmt lays them out: the closing brace stands below the `fn`.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let declaration = line.trim_start();
        if !declares_function(declaration) || declaration.ends_with(';') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[at..].iter().position(|line| *line == closing) {
            found.push((declaration.chars().take(60).collect(), length + 1));
        }
    }
    found
}

fn declares_function(line: &str) -> bool {
    const MODIFIERS: [&str; 6] = ["pub", "const", "async", "unsafe", "extern", "default"];
    let mut words = line.split(' ').skip_while(|word| MODIFIERS.contains(word) || word.starts_with("pub("));
    words.next() == Some("fn")
}

#[test]
fn no_function_is_long() {
    let mut long = Vec::new();
    for path in rust_files() {
        for (name, lines) in functions(&text(&path)) {
            if lines > FUNCTION {
                long.push(format!("{}: {lines} lines: {name}", path.display()));
            }
        }
    }
    assert_none(&long, "a function has at most 60 lines");
}

#[test]
fn functions_are_found_with_their_length() {
    let source = "fn a() {\n}\nimpl B {\n    pub(crate) async fn c(\n        d: u8,\n    ) {\n        e()\n    }\n    fn f();\n}\n";
    assert_eq!(functions(source), [("fn a() {".to_owned(), 2), ("pub(crate) async fn c(".to_owned(), 5)]);
}
