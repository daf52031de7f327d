//! Rules for file contents: the first line, nothing left for later, migrations, documented settings.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{assert_none, files, rust_files, rust_text, text};

#[test]
fn every_file_says_its_idea_first() {
    let without = |files: Vec<PathBuf>, start: &str| -> Vec<String> {
        let without = files.into_iter().filter(|path| !text(path).starts_with(start));
        without.map(|path| path.display().to_string()).collect()
    };
    assert_none(&without(rust_files(), "//! "), "the first line of a file says its idea (`//! …`)");
    let migrations = files("schema/migrations", ".sql");
    assert_none(&without(migrations, "-- "), "the first line of a migration says its idea (`-- …`)");
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
    assert_none(&left, "nothing is left for later");
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
    assert_none(&found, "migrations are numbered and only add");
}

#[test]
fn every_setting_is_in_the_readme() {
    let readme = text(Path::new("README.md"));
    let mut settings = BTreeSet::new();
    for path in files("deploy", ".rs").into_iter().filter(|path| path.iter().any(|folder| folder == "config")) {
        let text = rust_text::without_tests(&text(&path));
        let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
        settings.extend(words.filter(|word| word.starts_with("LUCI_") && word.len() > 5).map(str::to_owned));
    }
    assert!(settings.contains("LUCI_DATABASE_URL"), "the settings are not read in deploy/**/config/: {settings:?}");
    settings.retain(|setting| !readme.contains(setting));
    assert_none(&settings.into_iter().collect::<Vec<_>>(), "README.md lists every setting");
}
