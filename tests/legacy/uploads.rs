//! `POST /api/datalake/import` with the requests that its clients recorded.

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use super::{ROWS, count, csv, fields, keys, send, send_once};
use crate::{
    gateway::fixture::still,
    support::{Api, SystemOptions, system_with},
};

const PATH: &str = "/api/datalake/import";

#[tokio::test]
async fn an_old_import_keeps_its_reply_and_its_rows_become_leads() {
    let system = system_with(SystemOptions::default()).await;
    let api = &system.api;
    let form = Form::new().part("file", csv(ROWS)).text("type", "business").text("batchSize", "100");
    let (status, reply) = send(api, PATH, form).await;
    assert_eq!(status, 200, "{reply}");
    let new = ["blockSize", "importId", "key", "position", "rows", "runId"];
    let old: Vec<&str> = keys(&reply).into_iter().filter(|key| !new.contains(key)).collect();
    assert_eq!(old, ["errors", "message", "stats", "success"]);
    assert_eq!(keys(&reply["stats"]), ["errors", "inserted", "totalRows", "userId"]);
    let stats = ["totalRows", "inserted", "errors"].map(|name| reply["stats"][name].as_u64().expect("a count"));
    assert_eq!((stats, &reply["success"]), ([5, 3, 2], &json!(true)));
    assert!(reply["stats"]["userId"].as_str().is_some_and(|id| id.starts_with("actor_")));
    let errors: Vec<&str> = reply["errors"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(errors[0].starts_with("line 4: missing_contact_path") && errors[1].starts_with("line 5: missing_identity"));
    let key = reply["key"].as_str().expect("a key");
    assert!(key.starts_with(&format!("{}/imports/", system.tenant)) && key.ends_with("_ny_businesses_1.csv"), "{key}");
    assert_eq!(system.storage.get(key).await.expect("stored"), ROWS.as_bytes());
    let id = reply["importId"].as_str().expect("an id");
    let (_, import) = api.get(&format!("/api/imports/{id}?verify")).await;
    assert_eq!((&import["status"], &import["rows"]), (&json!("completed"), &json!(5)), "{import}");
    let run = api.run_ended(reply["runId"].as_str().expect("a run")).await;
    assert_eq!((&run["run"]["status"], &run["run"]["pipelineName"]), (&json!("completed"), &json!("luci_store")));
    let stages: Vec<&Value> = run["stages"].as_array().expect("stages").iter().map(|stage| &stage["stage"]).collect();
    assert_eq!(stages, ["import", "validate"], "nothing is asked, scored or sent");
    let (_, page) = api.get("/api/leads").await;
    assert_eq!(page["leads"].as_array().expect("leads").len(), 3, "what was inserted: {page}");
}

#[tokio::test]
async fn a_repeated_form_is_one_import_and_another_one_is_refused() {
    let system = still().await;
    let form = |rows: &str| Form::new().part("file", csv(rows)).text("type", "contact");
    let (status, first) = send_once(&system.api, PATH, form(ROWS), "k1").await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(send_once(&system.api, PATH, form(ROWS), "k1").await, (200, first.clone()), "another boundary");
    assert_eq!(send_once(&system.api, PATH, form(&ROWS.replace("Acme", "Acne")), "k1").await.0, 422);
    assert_eq!(send_once(&system.api, PATH, form(ROWS).text("batchSize", "7"), "k1").await.0, 422, "another text");
    assert_eq!(count(&system, "select count(*) from imports").await, 1);
    assert_eq!(count(&system, "select count(*) from log.events where event_type = 'run:queued'").await, 1);
    let stored = std::fs::read_dir(system.objects.join(system.tenant.to_string()).join("imports")).expect("a folder");
    let files = stored.flatten().flat_map(|day| std::fs::read_dir(day.path()).expect("a folder")).count();
    assert_eq!(files, 1, "what was refused left nothing");
    // A crash between the upload and the start of its run: the repeated call starts it.
    let pool = system.database.pool().await;
    let receipt = "update log.receipts set outcome = jsonb_set(outcome::jsonb, '{runId}', to_jsonb($1::text))::json";
    let run = luci_schema::RunId::generate().to_string();
    let changed = sqlx::query(receipt).bind(&run).execute(&pool).await.expect("a receipt without its run");
    assert_eq!(changed.rows_affected(), 1);
    let (_, again) = send_once(&system.api, PATH, form(ROWS), "k1").await;
    assert_eq!(again["runId"], run.as_str());
    assert_eq!(count(&system, "select count(*) from log.events where event_type = 'run:queued'").await, 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_named_and_nothing_is_left_of_it() {
    let gateway = luci_gateway::Options { upload_limit: 4_096, ..Default::default() };
    let roles = vec![luci::process::ProcessRole::Gateway];
    let system = system_with(SystemOptions { roles, gateway, ..SystemOptions::default() }).await;
    let api = &system.api;
    let file = || Form::new().part("file", csv(ROWS));
    for (form, field) in [
        (Form::new().text("type", "business"), "file"),
        (Form::new().text("file", ROWS), "file"),
        (file().part("file", csv(ROWS)), "file"),
        (Form::new().part("file", csv("")), "file"),
        (Form::new().part("file", csv("Company,Phone\n")), "file"),
        (Form::new().part("file", csv("a,b\n1,2\n")), "file"),
        (Form::new().part("file", Part::bytes(&b"\x89PNG\r\n\x1a\n\0\0"[..]).file_name("a.csv")), "file"),
        (file().text("type", "people"), "type"),
        (file().text("batchSize", "0"), "batchSize"),
        (file().text("batchSize", "many"), "batchSize"),
        (file().text("type", "business").text("type", "contact"), "type"),
        (file().text("type", "x".repeat(20_000)), "type"),
    ] {
        let (status, problem) = send(api, PATH, form).await;
        assert_eq!((status, fields(&problem)), (400, vec![field]), "{problem}");
    }
    let (status, problem) = send(api, PATH, file().text("type", "x").text("batchSize", "x")).await;
    assert_eq!((status, fields(&problem)), (400, vec!["type", "batchSize"]), "both at once");
    let large = format!("{ROWS}{}", ROWS.lines().nth(1).expect("a row").to_owned().repeat(80));
    assert_eq!(send(api, PATH, Form::new().part("file", csv(&large))).await.0, 413);
    for (kind, body) in [
        ("application/json", "{}"),
        ("multipart/form-data", "x"),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nCompany,Ph",
        ),
        ("multipart/form-data; boundary=b", "no form"),
    ] {
        let request = api.request(Method::POST, PATH).header("content-type", kind).body(body);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 400, "{kind}");
        assert_eq!(fields(&response.json().await.expect("JSON")), ["body"], "{kind} {body}");
    }
    assert_eq!(
        Api::new(api.url.clone(), "nobody").request(Method::POST, PATH).send().await.expect("sent").status(),
        401
    );
    let (_, made) = api.post("/api/keys", &json!({"name": "v", "role": "viewer"})).await;
    let viewer = Api::new(api.url.clone(), made["key"].as_str().expect("a key"));
    assert_eq!(send(&viewer, PATH, file()).await.0, 403);
    assert_eq!(count(&system, "select count(*) from imports").await, 0);
    let left = std::fs::read_dir(system.objects.join(system.tenant.to_string()).join("imports")).into_iter().flatten();
    let files = left.flatten().flat_map(|day| std::fs::read_dir(day.path()).expect("a folder")).count();
    assert_eq!(files, 0, "no object is left");
    // Unknown fields are ignored, as they were; no valid row starts no run.
    let form = Form::new().part("file", csv("Company,Phone\nAcme,12\n")).text("teamId", "team_1");
    let (status, reply) = send(api, PATH, form).await;
    assert_eq!((status, &reply["stats"]["inserted"], &reply["runId"]), (200, &json!(0), &Value::Null), "{reply}");
}
