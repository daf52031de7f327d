//! From a file to results, drafts and corrections, with the commands alone.

use serde_json::Value;

use crate::{
    binary::{err, last_json, luci_as, out, served},
    support::temp_dir,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_s_results_drafts_files_and_failed_leads_have_commands() {
    let ((system, sandbox), dir) = (served().await, temp_dir("results"));
    let api = &system.api;
    let file = dir.join("leads.csv");
    let rows = "Company,First Name,Phone,Note\nAcme,Ann,2125550147,\"one, two\"\nBolt,Bob,212555014,\nCask,Cy,(212) 555-0149,=1+1\n";
    std::fs::write(&file, rows).expect("written");
    let started = luci_as(api, &dir, &["import", file.to_str().expect("text"), "--watch", "--json", "--yes"]).await;
    let run = last_json(&started)["runId"].as_str().expect("a run").to_owned();

    // The beginning of an id is enough.
    let shown = luci_as(api, &dir, &["run", "show", &run[4..24].to_lowercase()]).await;
    assert!(out(&shown).contains(&run), "{}{}", out(&shown), err(&shown));
    let results = out(&luci_as(api, &dir, &["results", &run]).await);
    assert!(results.contains("completed: leads.csv") && results.contains("luci results"), "{results}");

    // One merged file: those that came out, then the failed one with its reason; a program reads it.
    let merged = luci_as(api, &dir, &["results", &run, "--leads", "csv"]).await;
    let text = out(&merged);
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let headers = reader.headers().expect("headers").clone();
    let column = |name: &str| {
        headers.iter().position(|header| header == name).unwrap_or_else(|| panic!("{name} in {headers:?}"))
    };
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a row")).collect();
    let of = |record: &csv::StringRecord, name: &str| record[column(name)].to_owned();
    assert_eq!(records.len(), 3, "{text}");
    let outcomes: Vec<String> = records.iter().map(|record| of(record, "outcome")).collect();
    assert_eq!(outcomes, ["completed", "completed", "failed"]);
    assert_eq!(of(&records[0], "Note"), "one, two");
    assert_eq!(of(&records[1], "Note"), "'=1+1", "a spreadsheet does not compute it");
    assert!(!of(&records[2], "failedReason").is_empty());
    let lines = out(&luci_as(api, &dir, &["results", &run, "--leads", "ndjson"]).await);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["failure"]["code"], "VALIDATION");

    // Only the failed ones, to be corrected.
    let failed = dir.join("failed.csv");
    let written = luci_as(api, &dir, &["run", "failed-leads", &run, "--to", failed.to_str().expect("text")]).await;
    assert_eq!(written.status.code(), Some(0), "{}", err(&written));
    let failed = std::fs::read_to_string(&failed).expect("written");
    assert_eq!(failed.lines().count(), 2, "{failed}");

    let artifacts = out(&luci_as(api, &dir, &["artifact", "list", &run, "-o", "ndjson"]).await);
    let pushed = artifacts.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let pushed = pushed.into_iter().find(|one| one["artifactType"] == "pushed").expect("the last stage's file");
    let id = pushed["artifactId"].as_str().expect("an id");
    let object = luci_as(api, &dir, &["artifact", "download", &run, id]).await;
    assert_eq!(object.stdout.len() as u64, pushed["sizeBytes"].as_u64().expect("a size"));

    named_and_found(&system, &dir, &run).await;
    drafts(&system, &dir, &run).await;
    system.stop().await;
    sandbox.stop().await;
}

/// A run on an import has the name of its file; every kind of id may be its beginning.
async fn named_and_found(system: &crate::support::System, dir: &std::path::Path, run: &str) {
    let api = &system.api;
    let (_, detail) = api.get(&format!("/api/pipelines/{run}/events?type=run:queued&limit=1")).await;
    let import = detail["events"][0]["data"]["input"]["importId"].as_str().expect("an import").to_owned();
    let again = ["run", "start", "--import", &import[..30], "--allow-repeat", "--json"];
    let started = last_json(&luci_as(api, dir, &again).await);
    let started = started["runId"].as_str().expect("a run").to_owned();
    api.run_ended(&started).await;
    let (_, detail) = api.get(&format!("/api/pipelines/{started}")).await;
    assert_eq!(detail["run"]["pipelineName"], "leads.csv");

    let lists = [("lead", "leads", "leadId"), ("blueprint", "blueprints", "blueprintId")];
    for (command, list, name) in lists {
        let (_, page) = api.get(&format!("/api/{list}")).await;
        let id = page[list][0][name].as_str().expect("an id").to_owned();
        let shown = luci_as(api, dir, &[command, "show", &id[..id.len() - 1], "-o", "json"]).await;
        assert!(out(&shown).contains(&id), "{command}: {}{}", out(&shown), err(&shown));
    }
    let leads = dir.join("leads.json");
    std::fs::write(&leads, b"\xef\xbb\xbf[{\"companyName\": \"Dale\", \"phone\": \"2125550151\"}]\r\n")
        .expect("written");
    let added = last_json(&luci_as(api, dir, &["lead", "add", leads.to_str().expect("text"), "--json"]).await);
    assert_eq!(added["created"], 1, "a byte order mark is no fault: {added}");
}

async fn drafts(system: &crate::support::System, dir: &std::path::Path, run: &str) {
    let api = &system.api;
    let listed = luci_as(api, dir, &["message", "list", "--run", run, "-o", "csv"]).await;
    let rows = out(&listed).lines().count();
    if rows == 1 {
        // The sandbox found no mobile number: nothing was queued, and the list says so in every format.
        let table = luci_as(api, dir, &["message", "list", "--run", run]).await;
        assert!(err(&table).contains("no messages"), "{}", err(&table));
        return;
    }
    let dry = last_json(&luci_as(api, dir, &["message", "approve", "--run", run, "--dry-run", "--json"]).await);
    assert_eq!(dry["matched"].as_u64(), Some(rows as u64 - 1), "{dry}");
    let approved = luci_as(api, dir, &["message", "approve", "--run", run]).await;
    assert_eq!(approved.status.code(), Some(0), "{}", err(&approved));
    assert!(out(&approved).contains("approved"), "{}", out(&approved));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_four_formats_and_say_when_they_are_empty() {
    let ((system, sandbox), dir) = (served().await, temp_dir("formats"));
    let api = &system.api;
    let empty = luci_as(api, &dir, &["run", "list"]).await;
    assert_eq!((out(&empty).as_str(), err(&empty).trim()), ("", "no runs"));
    let sectors = luci_as(api, &dir, &["sector", "list", "--limit", "3"]).await;
    let text = out(&sectors);
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.starts_with("SECTOR ") && !text.contains('\u{1b}'), "no colour in a pipe: {text}");
    assert!(err(&sectors).contains("the first 3 sectors"), "{}", err(&sectors));
    let csv = out(&luci_as(api, &dir, &["sector", "list", "--limit", "3", "-o", "csv"]).await);
    assert!(csv.starts_with("sectorId,slug,name,state,sicCodes,leads\n"), "{csv}");
    let json = last_json(&luci_as(api, &dir, &["sector", "list", "--limit", "3", "--json"]).await);
    assert_eq!(json["sectors"].as_array().map(Vec::len), Some(3));
    let lines = out(&luci_as(api, &dir, &["sector", "list", "--limit", "3", "-o", "ndjson"]).await);
    assert_eq!(lines.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 3);

    let version = last_json(&luci_as(api, &dir, &["version", "--json"]).await);
    assert_eq!(version["version"], version["gateway"]);
    let script = out(&luci_as(api, &dir, &["completion", "bash"]).await);
    assert!(script.contains("failed-leads"), "the script knows the commands");
    let man = dir.join("man");
    luci_as(api, &dir, &["man", man.to_str().expect("text")]).await;
    // `man -M DIR luci-run-list`, as the command prints it, looks here.
    assert!(man.join("man1/luci-run-list.1").exists());
    system.stop().await;
    sandbox.stop().await;
}
