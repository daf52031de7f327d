//! Failed leads: reported by line and reason, corrected and imported again as the same lead, retried, skipped.

use std::collections::BTreeMap;

use luci::cli::demo::sample::{self, Broken};
use luci_sandbox::Fault;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{send_csv, start, whole};
use crate::support::{Api, System};

/// The rows of an export, by header.
type Rows = Vec<BTreeMap<String, String>>;

async fn export(api: &Api, run: &str) -> (Vec<String>, Rows) {
    let request = api.request(Method::GET, &format!("/api/pipelines/{run}/failed-leads.csv"));
    let text = request.send().await.expect("an answer").text().await.expect("text");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers: Vec<String> = reader.headers().expect("headers").iter().map(str::to_owned).collect();
    let row = |record: csv::StringRecord| headers.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
    let rows = reader.records().map(|record| row(record.expect("a record"))).collect();
    (headers, rows)
}

fn written(headers: &[String], rows: &Rows) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(headers).expect("memory");
    for row in rows {
        writer.write_record(headers.iter().map(|header| row.get(header).map_or("", String::as_str))).expect("memory");
    }
    String::from_utf8(writer.into_inner().expect("memory")).expect("text")
}

async fn imported(api: &Api, text: String) -> Value {
    let (status, import) = send_csv(api, text).await;
    assert_eq!(status, 201, "{import}");
    import
}

/// Starts a run and answers its detail at the end.
async fn ended(api: &Api, body: Value) -> (String, Value) {
    let (status, queued) = api.post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{queued}");
    let run = queued["runId"].as_str().expect("an id").to_owned();
    let detail = api.run_ended(&run).await;
    (run, detail)
}

async fn total(api: &Api, run: &str) -> Value {
    let (status, page) = api.get(&format!("/api/pipelines/{run}/failed-leads?summary")).await;
    assert_eq!(status, 200, "{page}");
    json!([page["total"], page["codes"], page["reasons"]])
}

async fn count(system: &System, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&system.database.pool().await).await.expect("a count")
}

#[tokio::test]
async fn every_broken_row_of_ten_kinds_is_reported_with_its_line_and_reason() {
    let (system, _sandbox) = whole().await;
    let mut file = Vec::new();
    let broken: Vec<Broken> = sample::csv(&mut file, 900, 4, 11).expect("memory");
    assert!(sample::Kind::ALL.iter().all(|kind| broken.iter().any(|b| b.kind == *kind)), "{broken:?}");
    let text = String::from_utf8(file).expect("text");
    let import = imported(&system.api, text).await;
    let (run, detail) = ended(&system.api, json!({"importId": import["importId"]})).await;
    assert_eq!(detail["run"]["status"], "completed", "{detail:#}");
    let (_, rows) = export(&system.api, &run).await;
    let number = |row: &BTreeMap<String, String>, name: &str| row[name].parse::<u64>().expect("a number");
    let reported: Vec<_> = rows
        .iter()
        .map(|row| (number(row, "luciRow"), number(row, "failedLine"), row["failedReason"].as_str()))
        .collect();
    let made: Vec<_> = broken.iter().map(|b| (b.row, b.line, b.kind.reason())).collect();
    assert_eq!(reported, made);
    assert!(rows.iter().all(|row| row["failedCode"] == "VALIDATION" && !row["failedExpected"].is_empty()));
}

const FILE: &str = "Company,First Name,Last Name,Phone,City,State,Notes,Business\n\
Fine,Ada,L,(212) 555-0100,New York,NY,met,\n\
,,,(212) 555-0101,,,+see below,=cmd()\n\
Bolt,Bob,B,555-12,,,\"@home, \"\"x\"\"\",\n\
Fine Too,,,212-555-0100,,,,\n";

/// Corrects each row of the export of `FILE`.
fn correct(rows: &mut Rows) {
    let set = |row: &mut BTreeMap<String, String>, name: &str, text: &str| {
        row.insert(name.to_owned(), text.to_owned());
    };
    set(&mut rows[0], "company_name", "Anvil");
    set(&mut rows[1], "phone", "212 555 0102");
    set(&mut rows[2], "phone", "212 555 0103");
    rows.push(BTreeMap::from([("company_name".into(), "By Hand".into()), ("phone".into(), "2125550104".into())]));
}

#[tokio::test]
async fn corrected_rows_come_back_as_the_same_leads() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let first = imported(api, FILE.into()).await;
    let (run, _) = ended(api, json!({"importId": first["importId"]})).await;
    let (headers, mut rows) = export(api, &run).await;
    let root = first["importId"].as_str().expect("an id");
    let reported: Vec<_> = rows.iter().map(|row| (row["luciRow"].as_str(), row["failedLine"].as_str())).collect();
    assert_eq!(reported, [("2", "3"), ("3", "4"), ("4", "5")]);
    for (row, number) in rows.iter().zip(2..) {
        assert_eq!(row["luciLeadId"], luci_leads::lead_id(root, number).to_string());
    }
    let notes: Vec<_> = rows.iter().map(|row| (row["Notes"].as_str(), row["Business"].as_str())).collect();
    assert_eq!(notes, [("'+see below", "'=cmd()"), ("'@home, \"x\"", ""), ("", "")], "no formula gets through");

    correct(&mut rows);
    let text = written(&headers, &rows);
    for again in [false, true] {
        let import = imported(api, text.clone()).await;
        assert_eq!(import["summary"]["lineageOf"], run.as_str());
        let (second, detail) = ended(api, json!({"importId": import["importId"], "allowRepeat": true})).await;
        assert_eq!(detail["run"]["parentRunId"], run.as_str());
        assert_eq!(total(api, &second).await, json!([0, {}, {}]), "none is a duplicate of itself");
        let push = &detail["stages"][6]["metrics"];
        let (sent, held) = if again { (0, 4) } else { (4, 0) };
        assert_eq!((&push["successCount"], &push["skippedCount"]), (&json!(sent), &json!(held)), "{push}");
        assert_eq!(count(&system, "select count(*) from leads").await, 5);
    }
    let ids: Vec<String> = sqlx::query_scalar("select id from leads where root_input_id = $1 order by row_number, id")
        .bind(root)
        .fetch_all(&system.database.pool().await)
        .await
        .expect("leads");
    let kept = (1..=4).filter(|row| ids.contains(&luci_leads::lead_id(root, *row).to_string())).count();
    assert_eq!((ids.len(), kept), (5, 4), "the row that was added by hand is a lead of its own");
    assert_eq!(count(&system, "select count(distinct campaign_id) from attempt_logs").await, 1, "one campaign");
    let remark = "select count(*) from leads where data->'extra'->>'Notes' = '+see below'
                     and data->'extra'->>'Business' = '=cmd()' and data->'extra'->>'failedCode' is null";
    assert_eq!(count(&system, remark).await, 1);
}

#[tokio::test]
async fn a_lead_never_stored_is_written_once_when_two_corrected_rows_name_it() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let first = imported(api, FILE.into()).await;
    let (run, _) = ended(api, json!({"importId": first["importId"]})).await;
    let (headers, mut rows) = export(api, &run).await;
    rows[1].insert("phone".into(), "212 555 0102".into());
    let mut second = rows[1].clone();
    second.insert("phone".into(), "212 555 0105".into());
    second.insert("company_name".into(), "Bolt and Sons".into());
    second.insert("first_name".into(), "Rob".into());
    let import = imported(api, written(&headers, &vec![rows[1].clone(), second])).await;
    let (_, detail) = ended(api, json!({"importId": import["importId"], "parentRunId": run})).await;
    assert_eq!(detail["run"]["status"], "completed", "{detail:#}");
    assert_eq!(detail["stages"][1]["metrics"]["successCount"], 2, "{detail:#}");
    // And the one row of the file that was valid from the start.
    assert_eq!(count(&system, "select count(*) from leads").await, 2);
}

#[tokio::test]
async fn a_parent_must_be_the_run_that_the_file_names() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let import = imported(api, FILE.into()).await;
    let (run, _) = ended(api, json!({"importId": import["importId"]})).await;
    let (headers, rows) = export(api, &run).await;
    let export = imported(api, written(&headers, &rows)).await;
    let absent = "run_7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
    let no_export = json!({"importId": import["importId"], "parentRunId": run});
    let another = json!({"importId": export["importId"], "parentRunId": absent});
    for (body, expected) in [(no_export, "luciLeadId"), (another, run.as_str())] {
        let (status, problem) = api.post("/api/pipelines", &body).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("parentRunId")), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(expected)), "{problem}");
    }
    // In another run its rows are new leads, whatever lineage they claim.
    let (_, stranger) = system.other_tenant("stranger").await;
    let theirs = imported(&stranger, written(&headers, &rows)).await;
    let (_, detail) = ended(&stranger, json!({"importId": theirs["importId"]})).await;
    assert_eq!(detail["run"]["parentRunId"], Value::Null);
}

#[tokio::test]
async fn a_successful_retry_removes_the_leads_from_the_list() {
    let (system, sandbox) = whole().await;
    sandbox.fault_next(Fault::NoCredits, 1);
    let (run, _) = start(&system.api, 10).await;
    let detail = system.api.run_ended(&run).await;
    assert_eq!((&detail["run"]["status"], &detail["run"]["error"]["code"]), (&json!("failed"), &json!("AUTH")));
    let reported = total(&system.api, &run).await;
    assert_eq!((&reported[0], &reported[1]), (&json!(10), &json!({"AUTH": 10})));
    let (status, _) = system.api.post(&format!("/api/pipelines/{run}/retry"), &json!({})).await;
    assert_eq!(status, 202);
    let detail = system.api.run_when(&run, |detail| detail["run"]["status"] == "completed").await;
    assert_eq!(detail["stages"][2]["metrics"]["failedCount"], 0, "{detail:#}");
    assert_eq!(total(&system.api, &run).await, json!([0, {}, {}]));
    assert_eq!(export(&system.api, &run).await.1, Rows::new());
}

#[tokio::test]
async fn a_block_that_failed_before_its_first_line_leaves_its_leads_to_be_retried() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let stage = |stage: &str, config: Value| json!({"name": stage, "stage": stage, "config": config});
    // The template is looked up by the block.
    let push = json!({"channels": ["sms"], "templateId": luci_schema::TemplateId::generate()});
    let stages = [stage("import", json!({})), stage("validate", json!({})), stage("push", push)];
    let (status, blueprint) = api.post("/api/blueprints", &json!({"name": "no template", "stages": stages})).await;
    assert_eq!(status, 201, "{blueprint}");
    let import = imported(api, super::fixture::csv(5)).await;
    let (run, detail) =
        ended(api, json!({"importId": import["importId"], "blueprintId": blueprint["blueprintId"]})).await;
    assert_eq!((&detail["run"]["status"], &detail["run"]["error"]["stage"]), (&json!("failed"), &json!("push")));
    let block = detail["run"]["error"]["blockId"].as_str().expect("a block").to_owned();
    let broken = json!([5, {"VALIDATION": 5}, {"block_failed": 5}]);
    assert_eq!(total(api, &run).await, broken);
    let (status, _) = api.post(&format!("/api/pipelines/{run}/blocks/{block}/skip"), &json!({})).await;
    assert_eq!(status, 202);
    api.run_when(&run, |detail| detail["run"]["status"] == "completed").await;
    assert_eq!(total(api, &run).await, broken, "given up, not forgotten");

    let (headers, rows) = export(api, &run).await;
    assert_eq!(rows.len(), 5);
    let import = imported(api, written(&headers, &rows)).await;
    let (_, all) = api.get("/api/blueprints").await;
    let full = all["blueprints"].as_array().expect("a list").iter().find(|b| b["name"] == "luci_full").expect("it");
    let body = json!({"importId": import["importId"], "blueprintId": full["blueprintId"], "parentRunId": run});
    let (_, detail) = ended(api, body).await;
    let push = &detail["stages"][6]["metrics"];
    assert_eq!((&detail["run"]["status"], &push["successCount"]), (&json!("completed"), &json!(5)), "{detail:#}");
    assert_eq!(count(&system, "select count(*) from leads").await, 5);
}

#[tokio::test]
async fn settings_are_checked_at_publish_and_at_start_by_one_rule() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let stage = |stage: &str, config: Value| json!({"name": stage, "stage": stage, "config": config});
    let publish = async |config: Value| {
        let stages = [stage("import", json!({})), stage("validate", json!({})), stage("push", config)];
        api.post("/api/blueprints", &json!({"name": "push", "stages": stages})).await
    };
    let (status, problem) = publish(json!({"channels": []})).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("stages[2].config")), "{problem}");
    let (status, blueprint) = publish(json!({"channels": ["sms"]})).await;
    assert_eq!(status, 201, "{blueprint}");
    // A version that was published earlier may hold a setting that is refused today.
    let misspelt =
        "update blueprints set stages = replace(stages::text, 'channels', 'chanels')::json where name = 'push'";
    let pool = system.database.pool().await;
    assert_eq!(sqlx::query(misspelt).execute(&pool).await.expect("misspelt").rows_affected(), 1);
    let import = imported(api, super::fixture::csv(5)).await;
    let body = json!({"importId": import["importId"], "blueprintId": blueprint["blueprintId"]});
    let (status, problem) = api.post("/api/pipelines", &body).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("blueprintId")), "{problem}");
    assert!(problem.to_string().contains("chanels"), "{problem}");
}
