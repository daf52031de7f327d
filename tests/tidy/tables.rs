//! Rules for tables: each is written in exactly one Rust file, and read there too.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, files, rust_files, rust_text, text};

/// What stands before a table's name in a statement that writes.
const WRITES: [&str; 6] = ["insert into ", "update ", "delete from ", "merge into ", "truncate ", "copy "];
/// What stands before a table's name in any statement.
const NAMES: [&str; 8] = ["insert into ", "update ", "from ", "join ", "using ", "merge into ", "truncate ", "copy "];

/// Tables that are not written in exactly one file, and why.
const WRITTEN_OTHERWISE: &[(&str, &str)] = &[
    ("legacy_objects", "nothing records legacy objects yet"),
    ("provider_prices", "prices are facts of the providers: migrations write them"),
    ("provider_waiting", "written by the SQL function that grants a provider's quota"),
    ("read_tables", "a projection's migration adds its row"),
];

/// Tables that other files read too, and why.
const READ_ELSEWHERE: &[(&str, &str)] = &[
    ("actors", "the lookup of a credential joins them: a disabled actor has none"),
    ("api_keys", "a session is valid as long as its key"),
    ("attempt_logs", "to be moved"),
    ("dialer_queue", "to be moved"),
    ("leads", "to be moved"),
    ("pipeline_runs", "to be moved"),
    ("read_versions", "to be moved"),
    ("sms_queue", "to be moved"),
    ("tenants", "lookups of credentials and settings join its status and time zone"),
];

/// Placeholders of statements that serve several tables.
const PLACEHOLDERS: &[(&str, &[&str])] = &[("{queue}", &["sms_queue", "dialer_queue"])];

/// The tables that the migrations create, without their schema.
fn tables() -> BTreeSet<String> {
    let mut tables = BTreeSet::new();
    for path in files("schema/migrations", ".sql") {
        let source = text(&path);
        let lines: Vec<&str> = source.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
        let statements = plain(&lines.join("\n"));
        for (at, create) in statements.match_indices("create table ") {
            let name = table(&statements[at + create.len()..]);
            tables.extend(Some(name).filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')));
        }
    }
    tables
}

/// Lower case; all white space, line breaks as escapes and line continuations as one space.
fn plain(statement: &str) -> String {
    let statement = statement.replace("\\n", " ").replace('\\', " ");
    statement.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The table at the start of `rest`, without its schema; `{name}` where it is a placeholder.
fn table(rest: &str) -> String {
    let mut rest = rest;
    for word in ["if not exists ", "only ", "table ", "public.", "log."] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest.split(|c: char| !(c.is_alphanumeric() || "_{}%".contains(c))).next().unwrap_or_default().to_owned()
}

/// What follows one of `words` in the strings of a file.
fn named(source: &str, words: &[&str]) -> BTreeSet<String> {
    let source = rust_text::without_tests(source);
    let mut named = BTreeSet::new();
    for statement in rust_text::strings(&source).into_iter().map(plain) {
        for word in words {
            for (at, _) in statement.match_indices(word) {
                let begins = !statement[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                named.extend(begins.then(|| table(&statement[at + word.len()..])));
            }
        }
    }
    named
}

/// For each table, the files in which it follows one of `words`; and statements with an unknown placeholder.
fn users(words: &[&str]) -> (BTreeMap<String, BTreeSet<String>>, Vec<String>) {
    let tests = rust_text::test_files();
    let mut users: BTreeMap<String, BTreeSet<String>> =
        tables().into_iter().map(|table| (table, BTreeSet::new())).collect();
    let mut unknown = Vec::new();
    for path in rust_files().into_iter().filter(|path| !tests.contains(path)) {
        let file = path.display().to_string();
        for name in named(&text(&path), words) {
            let served = PLACEHOLDERS.iter().find(|(placeholder, _)| *placeholder == name);
            let tables = served.map_or_else(|| vec![name.as_str()], |(_, tables)| tables.to_vec());
            for table in tables {
                if let Some(files) = users.get_mut(table) {
                    files.insert(file.clone());
                }
            }
            if served.is_none() && name.starts_with('{') && WRITES == *words {
                unknown.push(format!("{file}: which tables is {name}? list it in PLACEHOLDERS"));
            }
        }
    }
    (users, unknown)
}

/// Exceptions without a reason to be one.
fn unused(exceptions: &[(&str, &str)], needed: &BTreeSet<&str>) -> Vec<String> {
    let unused = exceptions.iter().filter(|(table, _)| !needed.contains(table));
    unused.map(|(table, _)| format!("{table}: an exception that is no longer needed")).collect()
}

#[test]
fn a_table_is_written_in_one_file() {
    let (writers, mut wrong) = users(&WRITES);
    let mut needed = BTreeSet::new();
    for (table, files) in writers.iter().filter(|(_, files)| files.len() != 1) {
        needed.insert(table.as_str());
        if !WRITTEN_OTHERWISE.iter().any(|(listed, _)| listed == table) {
            wrong.push(format!("{table}: {files:?}"));
        }
    }
    wrong.extend(unused(WRITTEN_OTHERWISE, &needed));
    assert_none(&wrong, "a table is written in exactly one Rust file");
}

#[test]
fn a_table_is_read_where_it_is_written() {
    let (users, _) = users(&NAMES);
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for (table, files) in users.iter().filter(|(_, files)| files.len() > 1) {
        needed.insert(table.as_str());
        if !READ_ELSEWHERE.iter().any(|(listed, _)| listed == table) {
            wrong.push(format!("{table}: {files:?}"));
        }
    }
    wrong.extend(unused(READ_ELSEWHERE, &needed));
    assert_none(&wrong, "a table is named in one Rust file");
}

#[test]
fn statements_that_write_are_found() {
    let source = "a(\"insert into\\n  log.b (c) values (1) on conflict do update set d = 2\");
        e(\"with f as (delete from only public.g returning h) select i from j for update of k\");
        l(format!(\"Update {m} \\
          set n = 1\")); // \"delete from o\"
        #[cfg(test)]
        fn p() { q(\"truncate r\") }";
    let found: Vec<String> =
        named(source, &WRITES).into_iter().filter(|table| table != "set" && table != "of").collect();
    assert_eq!(found, ["b", "g", "{m}"]);
    let tables = tables();
    assert!(["events", "receipts", "leads", "tenants"].iter().all(|table| tables.contains(*table)), "{tables:?}");
}
