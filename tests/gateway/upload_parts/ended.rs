//! Uploads in parts that are found again, completed, aborted, or too old.

use luci_leads::store::old_uploads;
use serde_json::{Value, json};

use super::{announce, csv, put, sha256};
use crate::{gateway::fixture::still, support::Api};

#[tokio::test]
async fn a_part_that_arrives_after_complete_is_refused() {
    let system = still().await;
    let upload = announce(&system.api, csv()).await;
    let signed = upload.put(1).await;
    upload.put(2).await;
    upload.put(3).await;
    assert_eq!(upload.complete().await.0, 200);
    let (status, problem) = put(&signed, upload.part(1).to_vec()).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:luci:problem:upload-over")));
    assert_eq!(upload.staged(&system).await, 0);
}

#[tokio::test]
async fn an_upload_is_found_again_by_its_tenant_and_can_be_aborted() {
    let system = still().await;
    let upload = announce(&system.api, csv()).await;
    let signed = upload.put(1).await;
    let find = async |api: &Api, query: &str| {
        let (status, answer) = api.get(&format!("/api/uploads?{query}")).await;
        assert_eq!(status, 200, "{answer}");
        answer["uploads"].as_array().expect("a list").iter().map(|one| one["importId"].clone()).collect::<Vec<_>>()
    };
    let of_file = format!("fileName=Large+leads.csv&sizeBytes={}&checksum={}", upload.file.len(), sha256(&upload.file));
    assert_eq!(find(&system.api, &of_file).await, [json!(upload.id)]);
    assert_eq!(find(&system.api, "sizeBytes=7").await, [] as [Value; 0]);
    let (_, stranger) = system.other_tenant("stranger").await;
    assert_eq!(find(&stranger, &of_file).await, [] as [Value; 0]);
    // An upload in one request has no parts, and can be aborted too.
    let single = json!({"fileName": "a.csv", "sizeBytes": 3, "contentType": "text/csv"});
    let (_, single) = system.api.post("/api/uploads", &single).await;
    let path = format!("/api/uploads/{}", single["importId"].as_str().expect("an id"));
    let (status, problem) = system.api.get(&path).await;
    assert_eq!((status.as_u16(), &problem["type"]), (409, &json!("urn:luci:problem:not-in-parts")));
    assert_eq!(system.api.delete(&path).await.1["error"]["code"], "aborted");

    let (status, aborted) = upload.abort().await;
    assert_eq!((status, &aborted["status"], &aborted["error"]["code"]), (200, &json!("rejected"), &json!("aborted")));
    assert_eq!(upload.abort().await, (200, aborted), "once more is the same");
    assert_eq!(upload.staged(&system).await, 0);
    assert_eq!(put(&signed, upload.part(1).to_vec()).await.0, 409);
    assert_eq!(find(&system.api, "").await, [] as [Value; 0]);
    assert_eq!(upload.complete().await.0, 409);
}

#[tokio::test]
async fn an_upload_in_parts_is_kept_for_seven_days() {
    let system = still().await;
    let upload = announce(&system.api, csv()).await;
    upload.put(1).await;
    let pool = system.database.pool().await;
    let after = async |hours: i32| {
        sqlx::query("update imports set created_at = now() - make_interval(hours => $1)")
            .bind(hours)
            .execute(&pool)
            .await
            .expect("aged");
        let mut c = pool.acquire().await.expect("a connection");
        old_uploads::remove(&mut c, &system.storage).await.expect("swept")
    };
    assert_eq!(after(7 * 24 - 1).await, 0);
    let signed = upload.sign(2, upload.part(2)).await;
    assert!(signed["expiresAt"].as_str() <= upload.status().await["expiresAt"].as_str(), "no URL outlives it");
    assert_eq!(put(&signed, upload.part(2).to_vec()).await.0, 200);
    assert_eq!(upload.missing().await, json!([3]), "continued after days");
    sqlx::query("update imports set created_at = now() - interval '169 hours'").execute(&pool).await.expect("aged");
    let body = json!({"parts": [{"number": 3, "checksum": sha256(upload.part(3))}]});
    let (status, problem) = system.api.post(&format!("/api/uploads/{}/parts", upload.id), &body).await;
    assert_eq!((status.as_u16(), &problem["type"]), (409, &json!("urn:luci:problem:upload-expired")), "{problem}");
    assert_eq!(system.api.get("/api/uploads").await.1["uploads"], json!([]));
    assert_eq!(after(169).await, 1);
    assert_eq!(after(169).await, 0, "once");
    assert_eq!(upload.staged(&system).await, 0);
    assert_eq!(upload.status().await["status"], "rejected");
    let (status, problem) = upload.complete().await;
    assert_eq!((status, &problem["code"]), (409, &json!("upload_expired")), "{problem}");
}

#[tokio::test]
async fn parts_that_arrive_while_others_complete_leave_one_whole_object() {
    let system = still().await;
    let upload = announce(&system.api, csv()).await;
    let mut signed = Vec::new();
    for number in 1..=3 {
        signed.push(upload.put(number).await);
    }
    let again = futures::future::join_all((1..=3).map(|number| put(&signed[number - 1], upload.part(number).to_vec())));
    let (first, second, puts) = tokio::join!(upload.complete(), upload.complete(), again);
    assert!(puts.iter().all(|(status, _)| [200, 409].contains(status)), "{puts:?}");
    assert_eq!((first.0, second.0), (200, 200), "{first:?} {second:?}");
    assert_eq!(first.1["checksum"], sha256(&upload.file));
    assert_eq!(first.1, second.1);
    let key = upload.answer["key"].as_str().expect("a key");
    assert_eq!(system.storage.get(key).await.expect("stored"), upload.file);
}
