//! Forty mistakes: what the command line says, and the exit code.

use crate::{
    binary::{err, luci_as, served},
    support::{Api, temp_dir},
};

/// What is typed, the exit code, and what standard error says. `RUN` stands for a run, `FILE` for a CSV.
const MISTAKES: &[(&str, i32, &str)] = &[
    // What the parser of arguments knows.
    ("", 2, "Usage: luci"),
    ("strat", 2, "unrecognized subcommand 'strat'"),
    ("run", 2, "Usage: luci run"),
    ("run lst", 2, "a similar subcommand exists: 'list'"),
    ("run list --limt 3", 2, "a similar argument exists: '--limit'"),
    ("run list --limit 0", 2, "0 is not in 1..=200"),
    ("run list --limit many", 2, "invalid value 'many' for '--limit <LIMIT>'"),
    ("run list -o xml", 2, "possible values: table, json, ndjson, csv"),
    ("run list --json -o csv", 2, "cannot be used with"),
    ("run show", 2, "<RUN>"),
    ("run retry RUN --block", 2, "a value is required for '--block <BLOCK>'"),
    ("run start --max-leads -1", 2, "unexpected argument '-1'"),
    ("run start --on-missing-provider ignore", 2, "possible values: refuse, skip"),
    ("import", 2, "<FILE>"),
    ("import FILE --map company", 2, "expected HEADER=FIELD"),
    ("lead list --min-score 101", 2, "101 is not in 0..=100"),
    ("message approve", 2, "<MESSAGE>"),
    ("message approve msg_1 --run RUN", 2, "cannot be used with"),
    ("message approve --dry-run", 2, "--run <RUN>"),
    ("suppression add +12125550147 --reason rude", 2, "possible values: opt-out"),
    ("completion pwsh", 2, "possible values: bash"),
    ("demo --leads 0", 2, "0 is not in 1..=10000000"),
    ("up --listen 8080", 2, "expected an address and a port, like 127.0.0.1:8080"),
    ("run start", 2, "<--import <IMPORT>|--sector <SECTOR>>"),
    ("retention set imports 0", 2, "0 is not in 1..=36500"),
    ("automation test auto_1 --facts {", 2, "expected JSON"),
    ("audit verify RUN --head zz", 2, "expected 64 hexadecimal digits"),
    ("audit state RUN --at yesterday", 2, "expected a version (v143)"),
    // What only the gateway knows.
    ("run show run_ZZ", 2, "no run begins with `run_ZZ`"),
    ("run show ../../etc", 2, "is not the id of a run"),
    ("run pause block_01JD", 2, "is not the id of a run"),
    ("results lead_01JD", 2, "is not the id of a run"),
    ("run skip RUN block_7Z", 2, "no block begins with `block_7Z`"),
    ("artifact download RUN art_ZZ", 2, "no artifact begins with `art_ZZ`"),
    ("run start --import import_ZZ", 2, "no import begins with `import_ZZ`"),
    ("audit state RUN --at v9999", 2, "a version of the run: v1 to v"),
    ("run start --import run_01", 2, "is not the id of an import, or its beginning"),
    ("run show run_99999999999999999999999999", 2, "is not the id of a run"),
    ("lead show lead_7", 2, "no lead begins with `lead_7`"),
    ("message approve msg_7", 2, "no message begins with `msg_7`"),
    ("template show tpl_7", 2, "no template begins with `tpl_7`"),
    ("blueprint show nosuch", 2, "is not the id of a blueprint"),
    ("automation show auto_7", 2, "no automation begins with `auto_7`"),
    ("key revoke key_7", 2, "no key begins with `key_7`"),
    ("webhook show x!", 2, "is not the id of an unread delivery"),
    ("storage check run_7Z", 2, "no run begins with `run_7Z`"),
    ("audit export run_7Z", 2, "no run begins with `run_7Z`"),
    ("audit verify run_7Z", 2, "no run begins with `run_7Z`"),
    ("retention off letters", 2, "`letters` is not a domain: expected one of artifacts"),
    ("audit diff RUN@v1 RUN@never", 2, "`never`: expected a version"),
    ("message approve --run RUN", 2, "has no drafts"),
    // What is refused, or went wrong.
    ("run pause RUN", 1, "409 Not possible in the current state"),
    ("lead add FILE", 1, "leads.csv is not JSON"),
    ("suppression remove +12125550199", 1, "+12125550199 is not suppressed"),
    ("import no-such.csv", 1, "cannot read no-such.csv"),
    ("lead list --status warm", 1, "status"),
    ("suppression add nobody", 1, "422"),
    ("sector show nowhere", 1, "404 Not found"),
    ("hold release +12125550147", 1, "404"),
];

#[tokio::test(flavor = "multi_thread")]
async fn forty_mistakes_have_a_clear_answer_and_exit_code() {
    let ((system, sandbox), dir) = (served().await, temp_dir("mistakes"));
    let file = dir.join("leads.csv");
    std::fs::write(&file, "Company,Phone\nAcme,2125550147\n").expect("written");
    let file = file.to_str().expect("text");
    let imported = luci_as(&system.api, &dir, &["import", file, "--watch", "--json", "--yes"]).await;
    let summary = crate::binary::last_json(&imported);
    let run = summary["runId"].as_str().expect("a run");
    assert!(MISTAKES.len() >= 40);
    let mut wrong = Vec::new();
    for (typed, code, says) in MISTAKES {
        let arguments: Vec<String> =
            typed.split_whitespace().map(|word| word.replace("RUN", run).replace("FILE", file)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = luci_as(&system.api, &dir, &arguments).await;
        let (found, text) = (output.status.code(), err(&output));
        if found != Some(*code) || !text.contains(says) {
            wrong.push(format!("luci {typed}: {found:?} for {code}, {says:?} in\n{text}"));
        }
        assert!(!text.contains("panicked") && !text.contains(&system.api.key), "{text}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    system.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_an_instance_is_named() {
    let dir = temp_dir("no-instance");
    for arguments in [&["run", "list"][..], &["projections", "status"]] {
        let refused = crate::support::output(&dir, arguments, &[]).await;
        let said = format!("no instance was started in {}", dir.display());
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(err(&refused).contains(&said), "{}", err(&refused));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_does_not_answer_is_named() {
    let dir = temp_dir("nobody");
    let nobody = Api::new("http://127.0.0.1:1".to_owned(), "luci_none");
    let refused = luci_as(&nobody, &dir, &["run", "list"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("cannot reach the gateway at http://127.0.0.1:1"), "{}", err(&refused));
    let doctor = luci_as(&nobody, &dir, &["doctor", "--json"]).await;
    assert_eq!(doctor.status.code(), Some(1));
    let found = crate::binary::last_json(&doctor);
    let gateway = found["checks"].as_array().expect("checks").iter().find(|one| one["check"] == "gateway");
    assert!(gateway.is_some_and(|one| one["state"] == "broken" && one["remedy"].is_string()), "{found}");
}
