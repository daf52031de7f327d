//! What is announced of parts is checked, and what is stored of them is compared.

use serde_json::json;

use super::{PART, announce, csv, put, sha256};
use crate::gateway::fixture::still;

#[tokio::test]
async fn the_content_that_was_asked_for_last_counts() {
    let system = still().await;
    let upload = announce(&system.api, csv()).await;
    let mut other = upload.part(1).to_vec();
    other[0] = b'D';
    let wrong = upload.sign(1, &other).await;
    assert_eq!(put(&wrong, other.clone()).await.0, 200);
    assert_eq!(upload.status().await["parts"][0]["checksum"], sha256(&other));
    let right = upload.sign(1, upload.part(1)).await;
    assert_eq!(upload.missing().await, json!([1, 2, 3]), "the earlier content does not count any more");
    assert_eq!(put(&right, upload.part(1).to_vec()).await.0, 200);
    assert_eq!(put(&wrong, other).await.0, 200, "its URL is still valid");
    upload.put(2).await;
    upload.put(3).await;
    let (status, import) = upload.complete().await;
    assert_eq!((status, &import["checksum"]), (200, &json!(sha256(&upload.file))), "{import}");
}

#[tokio::test]
async fn a_stored_part_that_changed_is_sent_again_and_a_whole_that_differs_is_refused() {
    let system = still().await;
    let upload = announce(&system.api, csv()).await;
    for number in 1..=3 {
        upload.put(number).await;
    }
    let folder = system.objects.join(upload.folder(&system));
    let stored = std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a file").path());
    let second = stored.into_iter().find(|path| path.to_string_lossy().contains("/2_")).expect("the second part");
    std::fs::write(&second, vec![b'x'; PART]).expect("changed");
    let (status, problem) = upload.complete().await;
    assert_eq!((status, &problem["missing"]), (422, &json!([2])), "{problem}");
    assert_eq!(upload.missing().await, json!([2]));
    upload.put(2).await;
    assert_eq!(upload.complete().await.0, 200);

    // Every part is what was announced, and the whole is not.
    let mut changed = announce(&system.api, csv()).await;
    changed.file[100] = b'm';
    for number in 1..=3 {
        changed.put(number).await;
    }
    let (status, problem) = changed.complete().await;
    assert_eq!((status, &problem["code"]), (422, &json!("checksum_differs")), "{problem}");
    assert_eq!(changed.complete().await.0, 409, "refused for good");
    assert_eq!(changed.staged(&system).await, 0);
    assert_eq!(system.storage.head(changed.answer["key"].as_str().expect("a key")).await.expect("looked"), None);
}

#[tokio::test]
async fn what_is_announced_of_parts_is_checked() {
    let system = still().await;
    let body = |part_bytes: u64| json!({"fileName": "a.csv", "sizeBytes": 11 << 20, "contentType": "text/csv", "partBytes": part_bytes});
    for part_bytes in [0, (5 << 20) - 1, (64 << 20) + 1] {
        let (status, problem) = system.api.post("/api/uploads/multipart", &body(part_bytes)).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("partBytes")), "{problem}");
    }
    let all = json!({"fileName": "", "sizeBytes": 0, "contentType": "image/png", "checksum": "x", "partBytes": 1});
    let (status, problem) = system.api.post("/api/uploads/multipart", &all).await;
    assert_eq!((status.as_u16(), problem["errors"].as_array().expect("errors").len()), (422, 5), "{problem}");
    let upload = announce(&system.api, csv()).await;
    let path = format!("/api/uploads/{}/parts", upload.id);
    let sum = "a".repeat(64);
    let part = |number: i64| json!({"number": number, "checksum": sum});
    for (parts, field) in [
        (json!([]), "parts"),
        (json!(vec![part(1); 101]), "parts"),
        (json!([part(0)]), "parts[0].number"),
        (json!([part(1), part(4)]), "parts[1].number"),
        (json!([part(1), part(1)]), "parts[1].number"),
        (json!([{"number": 1, "checksum": "abc"}]), "parts[0].checksum"),
    ] {
        let (status, problem) = system.api.post(&path, &json!({"parts": parts})).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    let (status, problem) = system.api.get("/api/uploads?checksum=abc").await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("checksum")));
}
