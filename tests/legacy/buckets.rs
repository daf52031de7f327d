//! `/api/buckets/sectors/upload` with the requests that its clients recorded.

use reqwest::multipart::Form;
use serde_json::{Value, json};

use super::{PLUMBERS, ROWS, csv, fields, gateway_of_owner, keys, put_old, send, send_once};
use crate::{
    gateway::fixture::{still, whole},
    support::Api,
};

const PATH: &str = "/api/buckets/sectors/upload";

async fn plumbers(api: &Api) -> Value {
    let sector = json!({"name": "NY Plumbers", "state": "NY", "sicCodes": ["1711"],
        "legacyBucketId": "ny-construction-plumbers"});
    let (status, sector) = api.post("/api/sectors", &sector).await;
    assert_eq!(status, 201, "{sector}");
    sector
}

#[tokio::test]
async fn an_upload_to_a_bucket_keeps_its_reply_and_orchestrate_finds_its_leads() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let sector = plumbers(api).await;
    let form = Form::new().text("bucketId", "ny-construction-plumbers").text("description", "Fall list");
    let (status, reply) = send(api, PATH, form.part("file", csv(ROWS))).await;
    assert_eq!(status, 200, "{reply}");
    let new = ["errors", "importId", "key", "position", "rows", "runId", "sectorId"];
    let old: Vec<&str> = keys(&reply).into_iter().filter(|key| !new.contains(key)).collect();
    assert_eq!(old, ["bucket", "indexes", "message", "nextSteps", "stats", "success", "uploadId"]);
    let bucket = json!({"id": "ny-construction-plumbers", "name": "NY Plumbers", "sector": "construction-contractors",
        "storagePath": PLUMBERS});
    assert_eq!(reply["bucket"], bucket);
    let stats = json!({"total": 5, "withPhone": 1, "withEmail": 2, "withAddress": 2, "needsSkipTrace": 1});
    assert_eq!(reply["stats"], stats);
    assert_eq!(reply["indexes"], json!({"statesFound": 2, "countiesFound": 1, "citiesFound": 3}));
    let upload = reply["uploadId"].as_str().expect("an id").to_owned();
    let parts: Vec<&str> = upload.split('-').collect();
    assert!(parts[0] == "upload" && parts[1].len() == 13 && parts[2].len() == 9, "{upload}");
    assert_eq!(system.storage.get(reply["key"].as_str().expect("a key")).await.expect("stored"), ROWS.as_bytes());
    let run = api.run_ended(reply["runId"].as_str().expect("a run")).await;
    assert_eq!((&run["run"]["status"], &run["run"]["sectorId"]), (&json!("completed"), &sector["sectorId"]));

    let (status, found) = api.get(&format!("{PATH}?bucketId=ny-construction-plumbers")).await;
    assert_eq!(status, 200, "{found}");
    let counts = ["totalRecords", "enrichedRecords", "skipTracedRecords"].map(|name| found[name].as_u64());
    assert_eq!(counts, [Some(3), Some(0), Some(0)]);
    assert_eq!((&found["files"][0]["uploadId"], &found["description"]), (&json!(upload), &json!("Fall list")));
    assert_eq!((&found["files"][0]["recordCount"], &found["files"][0]["stats"]), (&json!(5), &stats));
    assert_eq!(found["indexes"]["byState"], json!({"NY": 2, "NJ": 1}));
    assert_eq!(found["indexes"]["byCounty"], json!({"New York": 1}));
    let (_, one) = api.get(&format!("{PATH}?bucketId=ny-construction-plumbers&uploadId={upload}")).await;
    assert_eq!(one["files"].as_array().expect("files").len(), 1);
    assert_eq!(api.get(&format!("{PATH}?bucketId=ny-construction-plumbers&uploadId=upload-1-a")).await.0, 404);

    let enrich = json!({"action": "enrich", "bucketId": "ny-construction-plumbers"});
    let (status, started) = api.post("/api/luci/orchestrate", &enrich).await;
    assert_eq!(status, 202, "{started}");
    let enriched = api.run_ended(started["runId"].as_str().expect("a run")).await;
    assert_eq!(enriched["run"]["totalLeads"], 3, "the next step of an old client");
    let (_, found) = api.get(&format!("{PATH}?bucketId=ny-construction-plumbers")).await;
    let traced = enriched["stages"].as_array().expect("stages").iter().find(|one| one["stage"] == "skip_trace");
    assert_eq!(found["skipTracedRecords"], traced.expect("a stage")["metrics"]["successCount"], "{found}");
}

#[tokio::test]
async fn a_bucket_is_named_by_its_id_or_a_sic_code_and_unknown_ones_are_404() {
    let system = still().await;
    let api = &system.api;
    let sector = plumbers(api).await;
    let form = || Form::new().part("file", csv(ROWS));
    let (status, reply) = send_once(api, PATH, form().text("sicCode", "1711"), "k").await;
    assert_eq!(status, 200, "{reply}");
    assert_ne!(reply["sectorId"], sector["sectorId"], "the nationwide sector of the code comes first");
    assert_eq!(reply["bucket"]["sector"], "construction-contractors");
    assert_eq!(send_once(api, PATH, form().text("sicCode", "1711"), "k").await.1, reply);
    let slug = sector["slug"].as_str().expect("a slug").to_owned();
    assert_eq!(send(api, PATH, form().text("bucketId", slug)).await.1["sectorId"], sector["sectorId"]);
    for (name, value, status) in
        [("bucketId", "nobody", 404), ("sicCode", "0001", 404), ("sicCode", "abc", 400), ("sicCode", "1", 400)]
    {
        let (found, problem) = send(api, PATH, form().text(name, value)).await;
        assert_eq!(found, status, "{name}={value}: {problem}");
        let (found, _) = api.get(&format!("{PATH}?{name}={value}")).await;
        assert_eq!(found, status, "{name}={value}");
    }
    let (status, problem) = send(api, PATH, form()).await;
    assert_eq!((status, fields(&problem)), (400, vec!["bucketId", "sicCode"]));
    assert_eq!(api.get(PATH).await.0, 400);
    let (_, other) = system.other_tenant("other").await;
    let theirs = sector["sectorId"].as_str().expect("an id").to_owned();
    assert_eq!(other.get(&format!("{PATH}?bucketId={theirs}")).await.0, 404);
    assert_eq!(send(&other, PATH, form().text("bucketId", theirs)).await.0, 404);
}

#[tokio::test]
async fn the_old_index_is_added_for_the_tenant_that_owns_it_alone() {
    let system = still().await;
    plumbers(&system.api).await;
    let index = json!({"bucketId": "ny-construction-plumbers", "name": "Plumbers", "totalRecords": 40,
        "enrichedRecords": 12, "skipTracedRecords": 9, "createdAt": "2025-01-02T03:04:05.000Z",
        "files": [{"uploadId": "upload-1735786245000-abcdefghi", "fileName": "old.csv", "recordCount": 40}],
        "indexes": {"byState": {"NY": 40}, "byCounty": {"Kings": 40}, "byCity": {"Brooklyn": 40}}});
    put_old(&system.objects, &format!("{PLUMBERS}index.json"), index.to_string().as_bytes());
    let (url, running) = gateway_of_owner(&system).await;
    let (_, other) = system.other_tenant("other").await;
    plumbers(&other).await;
    let owner = Api::new(url.clone(), &system.api.key);
    let form = Form::new().part("file", csv(ROWS)).text("bucketId", "ny-construction-plumbers");
    let (_, reply) = send(&owner, PATH, form).await;
    let (_, found) = owner.get(&format!("{PATH}?bucketId=ny-construction-plumbers")).await;
    let counts = ["totalRecords", "enrichedRecords", "skipTracedRecords"].map(|name| found[name].as_u64());
    assert_eq!(counts, [Some(40), Some(12), Some(9)], "no run has stored the new rows yet: {found}");
    let files: Vec<&Value> = found["files"].as_array().expect("files").iter().map(|one| &one["uploadId"]).collect();
    assert_eq!(files, [&json!("upload-1735786245000-abcdefghi"), &reply["uploadId"]]);
    assert_eq!((&found["storagePath"], &found["createdAt"]), (&json!(PLUMBERS), &json!("2025-01-02T03:04:05.000Z")));
    assert_eq!(found["indexes"]["byCity"], json!({"Brooklyn": 40}));
    for api in [Api::new(url, &other.key), other] {
        let (_, theirs) = api.get(&format!("{PATH}?bucketId=ny-construction-plumbers")).await;
        assert_eq!((&theirs["totalRecords"], &theirs["files"]), (&json!(0), &json!([])), "of another tenant");
    }
    let (_, unset) = system.api.get(&format!("{PATH}?bucketId=ny-construction-plumbers")).await;
    assert_eq!(unset["totalRecords"], 0, "without the setting");
    running.stop().await;
}
