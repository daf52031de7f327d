//! Rules for names: of files, folders, modules and types.

use std::{collections::BTreeMap, path::Path};

use super::{assert_none, rust_files, rust_text, text};

/// Names that do not say what a thing is.
const EMPTY_NAMES: [&str; 10] =
    ["manager", "service", "helper", "helpers", "util", "utils", "common", "misc", "info", "base"];

/// Metaphors and old words, with the word to use.
const REPLACED_WORDS: [(&str, &str); 11] = [
    ("book", "store"),
    ("toll", "quota"),
    ("shelf", "retryable blocks"),
    ("weather", "health"),
    ("tenure", "lease guard"),
    ("lent", "body drain"),
    ("handed", "async batches"),
    ("heard", "delivery reports"),
    ("mended", "corrected"),
    ("ground", "fixture"),
    ("filing", "result writer"),
];

/// General type names: each may be used for one type in the workspace.
const GENERAL_TYPES: [&str; 9] =
    ["Source", "Known", "Draft", "Asked", "Place", "Refused", "Waiting", "Verdict", "Role"];

/// What `struct`, `enum`, `trait` and `mod` declare in a file, as (keyword, name).
fn declarations(source: &str) -> Vec<(String, String)> {
    let code = rust_text::code(source);
    let words: Vec<&str> =
        code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
    let declared = words.windows(2).filter(|pair| ["struct", "enum", "trait", "mod"].contains(&pair[0]));
    declared.map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

/// `ProviderHealth` and `provider_health` both as `provider`, `health`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c == '-' || c.is_uppercase() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("one at least").extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Names of a path's folders and file, without the ending.
fn path_names(path: &Path) -> Vec<String> {
    let names = path.with_extension("");
    names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
}

#[test]
fn names_say_what_a_thing_is() {
    let mut empty = Vec::new();
    for path in rust_files() {
        for name in path_names(&path) {
            if EMPTY_NAMES.contains(&name.as_str()) {
                empty.push(path.display().to_string());
            }
        }
        for (_, name) in declarations(&text(&path)) {
            if words(&name).last().is_some_and(|last| EMPTY_NAMES.contains(&last.as_str())) {
                empty.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert_none(&empty, "a name says what a thing is");
}

#[test]
fn replaced_words_do_not_come_back() {
    let mut found = Vec::new();
    for path in rust_files() {
        let mut names = path_names(&path);
        names.extend(declarations(&text(&path)).into_iter().map(|(_, name)| name));
        for name in names {
            let words = words(&name);
            let replaced = REPLACED_WORDS.iter().filter(|(old, _)| words.iter().any(|word| word == old));
            found.extend(replaced.map(|(old, new)| format!("{}: {name}: say {new}, not {old}", path.display())));
        }
    }
    found.dedup();
    assert_none(&found, "files, modules and types are named by the words of the field");
}

#[test]
fn a_general_type_name_has_one_meaning() {
    let tests = rust_text::test_files();
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for path in rust_files().into_iter().filter(|path| !tests.contains(path)) {
        for (keyword, name) in declarations(&rust_text::without_tests(&text(&path))) {
            if let Some(general) = GENERAL_TYPES.iter().find(|general| **general == name && keyword != "mod") {
                places.entry(general).or_default().push(path.display().to_string());
            }
        }
    }
    let several = places.into_iter().filter(|(_, files)| files.len() > 1);
    let several: Vec<String> = several.map(|(name, files)| format!("{name}: {}", files.join(", "))).collect();
    assert_none(&several, "each of these names is used for one type in the workspace");
}

#[test]
fn names_are_split_into_words() {
    assert_eq!(words("ProviderHealth"), ["provider", "health"]);
    assert_eq!(words("provider_health"), ["provider", "health"]);
    assert_eq!(words("Underground"), ["underground"]);
    let source = "/// struct A\npub struct B { enumerate: u8 }\nmod c;\nlet d = \"enum E\"; trait F {}";
    let names: Vec<String> = declarations(source).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["B", "c", "F"]);
}
