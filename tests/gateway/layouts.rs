//! How files are read through the API: what is found out, what a caller says, what a person corrects before a run.

use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{send_csv, still, whole};
use crate::support::Api;

async fn send(api: &Api, query: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
    let request = api.request(Method::POST, &format!("/api/imports?{query}")).header("content-type", kind.to_owned());
    let request = request.header("idempotency-key", query.to_owned());
    let response = request.body(body).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

#[tokio::test]
async fn encoding_delimiter_and_columns_are_shown_before_a_run() {
    let system = still().await;
    let file = b"sep=;\r\nCompany;Memo;Phone;Phone\r\nCaf\xe9 Ren\xe9e;x;;2125550147\r\nBolt;\r\n;;;\r\n".to_vec();
    let (status, import) = send(&system.api, "fileName=a.csv", "text/csv", file).await;
    assert_eq!(status, 201, "{import}");
    let summary = &import["summary"];
    assert_eq!((&summary["rows"], &summary["shortRows"], &summary["malformedRows"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!((&summary["encoding"], &summary["delimiter"]), (&json!("windows-1252"), &json!(";")));
    assert_eq!((&summary["unmapped"], &summary["ignored"]), (&json!(["Memo"]), &json!([])));
    let preview = &import["preview"];
    assert_eq!((&preview["headerLine"], &preview["encodingSamples"]), (&json!(2), &json!(["Café Renée"])));
    let columns: Vec<_> =
        preview["columns"].as_array().expect("columns").iter().map(|c| (&c["status"], &c["field"])).collect();
    let phone = (&json!("mapped"), &json!("phone"));
    assert_eq!(columns, [(&json!("mapped"), &json!("company_name")), (&json!("unmapped"), &json!(null)), phone, phone]);
    let id = import["importId"].as_str().expect("an id");
    let (_, stored) = system.api.get(&format!("/api/imports/{id}")).await;
    assert_eq!(stored["preview"], *preview);
    let receipts = "select count(*) filter (where outcome::text like '%Caf%'), count(*) from log.receipts";
    let held: (i64, i64) = sqlx::query_as(receipts).fetch_one(&system.database.pool().await).await.expect("receipts");
    assert_eq!(held, (0, 1), "no cell of the file is in a receipt");
}

#[tokio::test]
async fn a_caller_says_how_a_file_is_read() {
    let system = still().await;
    let wide: Vec<u8> =
        "\u{feff}Company\tPhone\r\nAcme\t2125550147\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (status, import) = send(&system.api, "fileName=a.tsv", "text/tab-separated-values", wide).await;
    assert_eq!((status, &import["summary"]["encoding"]), (201, &json!("utf-16le")), "{import}");
    let query = "fileName=a.csv&header=none&delimiter=semicolon&mapping=%7B%22column_1%22%3A%22company_name%22%2C%22column_2%22%3A%22phone%22%2C%22column_3%22%3A%22ignore%22%7D";
    let (status, import) =
        send(&system.api, query, "text/csv", b"Acme;2125550147;secret\nBolt;2125550148;\n".to_vec()).await;
    assert_eq!((status, &import["rows"]), (201, &json!(2)), "{import}");
    assert_eq!(import["summary"]["ignored"], json!(["column_3"]));
    for (query, field) in [
        ("encoding=klingon", "encoding"),
        ("delimiter=ab", "delimiter"),
        ("header=0", "header"),
        ("mapping=%5B%5D", "mapping"),
        ("mapping=x", "mapping"),
        ("mapping=%7B%22Company%22%3A%22compani%22%7D", "mapping.Company"),
    ] {
        let (status, problem) = send(&system.api, query, "text/csv", b"Company,Phone\nA,2125550147\n".to_vec()).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    let (status, problem) = send(
        &system.api,
        "mapping=%7B%22Gone%22%3A%22city%22%7D",
        "text/csv",
        b"Company,Phone\nA,2125550147\n".to_vec(),
    )
    .await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_mapping")), "{problem}");
}

#[tokio::test]
async fn a_person_corrects_the_layout_until_a_run_takes_the_file() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let (status, import) =
        send_csv(api, "Betrieb,City,Tel,Note\nAcme,X,2125550147,a\nBolt,Y,2125550148,b\n".into()).await;
    assert_eq!((status.as_u16(), &import["summary"]["unmapped"]), (201, &json!(["Betrieb", "Note"])), "{import}");
    let id = import["importId"].as_str().expect("an id").to_owned();
    let path = format!("/api/imports/{id}/layout");
    let body = json!({"mapping": {"Betrieb": "company_name", "Note": "ignore"}, "saveMapping": true});
    let (status, corrected) = api.post(&path, &body).await;
    assert_eq!(
        (status.as_u16(), &corrected["summary"]["mapping"]["Betrieb"]),
        (200, &json!("company_name")),
        "{corrected}"
    );
    assert_eq!(api.post(&path, &json!({"mapping": {"Gone": "city"}})).await.0, 422);
    assert_eq!(api.post(&path, &json!({"mapping": {"Betrieb": "city"}})).await.0, 200, "not saved");
    assert_eq!(api.post(&path, &body).await.0, 200);
    let (status, queued) = api.post("/api/pipelines", &json!({"importId": id})).await;
    assert_eq!(status, 202, "{queued}");
    let detail = api.run_ended(queued["runId"].as_str().expect("an id")).await;
    assert_eq!(detail["run"]["status"], "completed", "{detail:#}");
    let named: Vec<String> = sqlx::query_scalar("select company_name from leads order by company_name")
        .fetch_all(&system.database.pool().await)
        .await
        .expect("leads");
    assert_eq!(named, ["Acme", "Bolt"]);
    let (status, problem) = api.post(&path, &body).await;
    assert_eq!(
        (status.as_u16(), &problem["type"].as_str().is_some_and(|kind| kind.contains("layout-fixed"))),
        (409, &true),
        "{problem}"
    );
    // The tenant's mapping is used for its next file.
    let (_, next) = send_csv(api, "Betrieb,Tel\nCork,2125550149\n".into()).await;
    assert_eq!(next["summary"]["mapping"]["Betrieb"], "company_name", "{next}");
}
