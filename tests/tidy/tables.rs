//! Rules for tables: each is written in exactly one Rust file, and read there or in the folder that owns it.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, files, rust_files, rust_text, text};

/// Keywords before a table name in a statement that writes.
const WRITES: [&str; 6] = ["insert into ", "update ", "delete from ", "merge into ", "truncate ", "copy "];
/// Keywords before a table name in any statement.
const MENTIONS: [&str; 8] =
    ["insert into ", "update ", "from ", "join ", "using ", "merge into ", "truncate ", "copy "];

/// Tables that are not written in exactly one file, and why.
const NOT_WRITTEN_ONCE: &[(&str, &str)] = &[
    ("epochs", "an operator begins one, by an SQL function"),
    ("logins", "an operator makes one, by an SQL function"),
    ("personal_data", "a migration that adds a column says what an erasure does with it"),
    ("provider_prices", "prices are facts of the providers: migrations write them"),
    ("provider_waiting", "written by the SQL function that grants a provider's quota"),
    ("read_tables", "a projection's migration adds its row"),
];

/// Tables that belong to a folder, since one file would be too long: one of its files writes, all of them may read.
const OWNED_BY_FOLDER: &[(&str, &str)] = &[
    ("attempt_logs", "engine/messaging/src/store/attempts/"),
    ("dialer_queue", "engine/messaging/src/store/dialer_queue/"),
    ("events", "schema/src/log/"),
    ("head", "schema/src/log/"),
    ("imports", "engine/leads/src/store/imports/"),
    ("leads", "engine/leads/src/store/leads/"),
    ("pipeline_runs", "projections/src/runs/"),
    ("receipts", "schema/src/log/"),
    ("sms_queue", "engine/messaging/src/store/sms_queue/"),
    ("streams", "schema/src/log/"),
];

/// Files that read the table of another owner, and why.
const READ_ELSEWHERE: &[(&str, &str, &str)] = &[
    ("actors", "engine/config/src/keys.rs", "a disabled actor has no valid key"),
    ("actors", "engine/config/src/sessions.rs", "a disabled actor has no valid session"),
    ("api_keys", "engine/config/src/sessions.rs", "a session is valid as long as its key"),
    (
        "dialer_queue",
        "engine/messaging/src/store/number_holds.rs",
        "a hold says how many sends wait for its number, in one statement",
    ),
    (
        "sms_queue",
        "engine/messaging/src/store/number_holds.rs",
        "a hold says how many sends wait for its number, in one statement",
    ),
    ("erasures", "engine/runs/src/clock/admissions.rs", "no run starts while a person is erased"),
    (
        "leads",
        "engine/leads/src/store/contacts.rs",
        "a contact is saved only while its lead is stored, in one statement",
    ),
    (
        "pipeline_runs",
        "projections/src/metrics/table.rs",
        "figures are shown with the run's state, both of one position",
    ),
    ("tenants", "engine/config/src/keys.rs", "a suspended tenant has no valid key"),
    ("tenants", "engine/config/src/sessions.rs", "a suspended tenant has no valid session"),
    ("tenants", "engine/messaging/src/store/send_settings.rs", "windows are in the tenant's time zone"),
    ("tenants", "engine/messaging/src/store/sender_numbers.rs", "a number finds its tenant only while that is active"),
    ("tenants", "engine/messaging/src/store/webhook_tokens.rs", "a token finds its tenant only while that is active"),
    ("tenants", "engine/providers/src/async_batches.rs", "a token finds its tenant only while that is active"),
];

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
    for word in ["if not exists ", "only ", "table ", "public.", "log.", "audit."] {
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

/// The files outside of tests, each with what follows one of `words` there.
fn names_by_file(words: &[&str]) -> Vec<(String, BTreeSet<String>)> {
    let tests = rust_text::test_files();
    let files = rust_files().into_iter().filter(|path| !tests.contains(path));
    files.map(|path| (path.display().to_string(), named(&text(&path), words))).collect()
}

/// For each table, the files in which it follows one of `words`.
fn users(words: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut users: BTreeMap<String, BTreeSet<String>> =
        tables().into_iter().map(|table| (table, BTreeSet::new())).collect();
    for (file, names) in names_by_file(words) {
        for name in names {
            if let Some(files) = users.get_mut(&name) {
                files.insert(file.clone());
            }
        }
    }
    users
}

#[test]
fn a_statement_that_writes_names_its_table() {
    let files = names_by_file(&WRITES).into_iter();
    let unknown: Vec<String> = files
        .flat_map(|(file, names)| names.into_iter().map(move |name| format!("{file}: {name}")))
        .filter(|entry| entry.contains(": {"))
        .collect();
    assert_none(&unknown, "a statement that writes names its table, not a placeholder");
}

#[test]
fn a_table_is_written_in_one_file() {
    let (writers, mut wrong) = (users(&WRITES), Vec::new());
    let mut needed = BTreeSet::new();
    for (table, files) in writers.iter().filter(|(_, files)| files.len() != 1) {
        needed.insert(table.as_str());
        if !NOT_WRITTEN_ONCE.iter().any(|(listed, _)| listed == table) {
            wrong.push(format!("{table}: {files:?}"));
        }
    }
    let unused = NOT_WRITTEN_ONCE.iter().filter(|(table, _)| !needed.contains(table));
    wrong.extend(unused.map(|(table, _)| format!("{table}: an exception that is no longer needed")));
    assert_none(&wrong, "a table is written in exactly one Rust file");
}

#[test]
fn a_table_is_read_where_it_is_written() {
    let (writers, users) = (users(&WRITES), users(&MENTIONS));
    let dropped = OWNED_BY_FOLDER.iter().filter(|(table, _)| !users.contains_key(*table));
    let mut wrong: Vec<String> = dropped.map(|(table, _)| format!("{table}: no migration creates it")).collect();
    let mut needed = BTreeSet::new();
    for (table, files) in &users {
        let folder = OWNED_BY_FOLDER.iter().find(|(listed, _)| listed == table);
        let owns = |file: &&String| match folder {
            Some((_, folder)) => file.starts_with(folder),
            None => writers[table].contains(*file) || files.len() == 1,
        };
        let (own, others): (Vec<&String>, Vec<&String>) = files.iter().partition(owns);
        if folder.is_some() && own.len() < 2 {
            wrong.push(format!("{table}: fewer than two files of its folder use it, so that one file may own it"));
        }
        for file in others {
            if READ_ELSEWHERE.iter().any(|(listed, reader, _)| listed == table && reader == file) {
                needed.insert((table.as_str(), file.as_str()));
            } else {
                wrong.push(format!("{table}: {file}"));
            }
        }
    }
    let unused = READ_ELSEWHERE.iter().filter(|(table, file, _)| !needed.contains(&(*table, *file)));
    wrong.extend(unused.map(|(table, file, _)| format!("{table}: {file}: an exception that is no longer needed")));
    assert_none(&wrong, "a table is named in the file that writes it, or in the folder that owns it");
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
