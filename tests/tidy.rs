//! The rules of the house, as far as a program can check them. An exception is a line here, with its reason.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Longest a file may be, in lines, its unit tests left out.
const FILE: usize = 300;
/// Longest a function may be, in lines.
const FUNCTION: usize = 60;

/// Files that may be longer, each with what it holds that is one list.
const LONG_FILES: &[(&str, &str)] = &[];

/// Names that say nothing of what a thing is.
const EMPTY_NAMES: &[&str] =
    &["manager", "service", "helper", "helpers", "util", "utils", "common", "misc", "info", "base"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of ours below `folder` with this ending, relative to the root.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "node_modules"].contains(&name.as_str()) && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(ending) {
                found.push(path.strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    ["schema", "engine", "projections", "gateway", "deploy", "tests"]
        .iter()
        .flat_map(|room| files(room, ".rs"))
        .collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(root().join(path)).expect("a text file")
}

/// Fails with every line at once.
fn none(broken: Vec<String>, rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn every_file_says_its_idea_first() {
    let silent = rust_files().into_iter().filter(|path| !text(path).starts_with("//! "));
    none(silent.map(|path| path.display().to_string()).collect(), "the first line of a file says its idea (`//! …`)");
    let silent = files("schema/migrations", ".sql").into_iter().filter(|path| !text(path).starts_with("-- "));
    none(
        silent.map(|path| path.display().to_string()).collect(),
        "the first line of a migration says its idea (`-- …`)",
    );
}

fn length(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

#[test]
fn no_file_is_long() {
    let long = rust_files().into_iter().filter_map(|path| {
        let (lines, name) = (length(&text(&path)), path.display().to_string());
        let allowed = LONG_FILES.iter().any(|(long, _)| *long == name);
        (lines > FILE && !allowed).then(|| format!("{name}: {lines} lines"))
    });
    none(long.collect(), "a file is at most 300 lines");
    let spare = LONG_FILES.iter().filter(|(name, _)| length(&text(Path::new(name))) <= FILE);
    none(spare.map(|(name, _)| (*name).to_owned()).collect(), "an exception that is no longer needed");
}

/// Functions by their first line, as rustfmt lays them out: the closing brace stands below the `fn`.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim_start();
        let begins = words.starts_with("fn ")
            || words.contains(" fn ") && words.starts_with("pub")
            || words.starts_with("async fn ")
            || words.starts_with("const fn ");
        if !begins || words.ends_with(';') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[at..].iter().position(|line| *line == closing) {
            found.push((words.chars().take(60).collect(), length + 1));
        }
    }
    found
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
    none(long, "a function is at most 60 lines");
}

#[test]
fn names_say_what_a_thing_is() {
    let mut empty = Vec::new();
    for path in rust_files() {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        if EMPTY_NAMES.contains(&stem.as_str()) || folder.is_some_and(|name| EMPTY_NAMES.contains(&name.as_str())) {
            empty.push(path.display().to_string());
        }
        for line in text(&path).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|word| ["struct", "enum", "trait", "mod"].contains(word));
            let Some(name) = at.and_then(|at| words.get(at + 1)) else { continue };
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let ends_empty =
                EMPTY_NAMES.iter().any(|empty| name == *empty || name.strip_suffix(&capital(empty)).is_some());
            if ends_empty && !line.trim_start().starts_with("//") {
                empty.push(format!("{}: {name}", path.display()));
            }
        }
    }
    none(empty, "a name says what a thing is");
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

#[test]
fn nothing_is_left_for_later() {
    // Written apart, so that this file does not find itself.
    let words = [concat!("to", "do!"), concat!("unimpl", "emented!"), concat!("dbg", "!("), concat!("TO", "DO")];
    let more = [concat!("FIX", "ME"), concat!("allow(", "dead_code)"), concat!("XX", "X:")];
    let mut left = Vec::new();
    for path in rust_files().into_iter().chain(files("schema/migrations", ".sql")) {
        let text = text(&path);
        for word in words.iter().chain(&more).filter(|word| text.contains(**word)) {
            left.push(format!("{}: {word}", path.display()));
        }
    }
    none(left, "nothing is left for later");
}

#[test]
fn the_gateway_has_no_sql() {
    let mut found = Vec::new();
    for path in files("gateway/src", ".rs") {
        let text = text(&path).to_lowercase();
        let sql = ["sqlx::query", "sqlx::raw_sql", "select * from", "insert into ", "delete from "];
        if sql.iter().any(|sql| text.contains(sql)) {
            found.push(path.display().to_string());
        }
    }
    none(found, "the gateway asks engine or projections");
}

#[test]
fn the_core_is_pure() {
    let mut found = Vec::new();
    for path in files("engine/src/run", ".rs") {
        let text = text(&path);
        for word in ["async fn", "sqlx::", "tokio::", "Micros::now", "::generate()", "std::fs", "std::env"] {
            if text.split("#[cfg(test)]").next().is_some_and(|code| code.contains(word)) {
                found.push(format!("{}: {word}", path.display()));
            }
        }
    }
    none(found, "the run core has no async, no clock, no fresh ids, no IO");
}

#[test]
fn crates_see_what_the_picture_says() {
    let allowed: [(&str, &[&str]); 4] = [
        ("schema", &[]),
        ("engine", &["schema"]),
        ("projections", &["schema"]),
        ("gateway", &["schema", "engine", "projections"]),
    ];
    let rooms = ["schema", "engine", "projections", "gateway"];
    for (room, allowed) in allowed {
        let manifest = text(&Path::new(room).join("Cargo.toml"));
        let seen: BTreeSet<&str> =
            rooms.into_iter().filter(|other| manifest.contains(&format!("luci-{other}.workspace"))).collect();
        assert_eq!(seen, allowed.iter().copied().collect(), "{room} sees");
    }
}

#[test]
fn migrations_only_add() {
    let mut found = Vec::new();
    let mut numbers = BTreeSet::new();
    for path in files("schema/migrations", ".sql") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !numbers.insert(name[..4].to_owned()) {
            found.push(format!("{name}: the number is taken"));
        }
        let text = text(&path).to_lowercase();
        for word in ["drop table", "drop column", "rename column", "rename to", "truncate table"] {
            if text.lines().any(|line| !line.trim_start().starts_with("--") && line.contains(word)) {
                found.push(format!("{name}: {word}"));
            }
        }
    }
    none(found, "migrations are numbered and only add");
}

#[test]
fn every_setting_is_in_the_readme() {
    let readme = text(Path::new("README.md"));
    let mut missing = BTreeSet::new();
    for path in files("deploy/config", ".rs") {
        for word in text(&path).split(|c: char| !(c.is_ascii_uppercase() || c == '_')) {
            if word.starts_with("LUCI_") && word.len() > 5 && word != "LUCI_LISTEM" && !readme.contains(word) {
                missing.insert(word.to_owned());
            }
        }
    }
    none(missing.into_iter().collect(), "README.md lists every setting");
}
