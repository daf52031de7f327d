//! Logical keys: below the tenant, recorded, of the older platform; for everyone else 404.

use luci_leads::legacy::{
    manifest::MigrationOutcome,
    migrate::{Migration, MigrationMode},
};
use reqwest::multipart::Form;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{PLUMBERS, ROWS, csv, fields, gateway_of_owner, put_old, send};
use crate::{
    erasure::fixture::erase,
    gateway::fixture::still,
    support::{Api, System, SystemOptions, system_with},
};

async fn find(api: &Api, key: &str) -> (u16, Value) {
    let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
    let (status, body) = api.get(&format!("/api/legacy/objects?key={key}")).await;
    (status.as_u16(), body)
}

/// What its URL gives.
async fn downloaded(found: &Value) -> Vec<u8> {
    let response = reqwest::get(found["url"].as_str().expect("a URL")).await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.bytes().await.expect("bytes").to_vec()
}

#[tokio::test]
async fn an_old_key_is_read_by_its_tenant_and_404_for_everyone_else() {
    let system = still().await;
    let (other_tenant, other) = system.other_tenant("other").await;
    let (url, running) = gateway_of_owner(&system).await;
    let owner = Api::new(url.clone(), &system.api.key);
    let strangers = [Api::new(url, &other.key), other.clone(), system.api.clone()];
    for key in [
        format!("{PLUMBERS}raw/upload-1764498030123-k3j9x0a1b.csv"),
        format!("{PLUMBERS}index.json"),
        "buckets/b1.json".to_owned(),
        "uploads/2025-11-30T10-20-30-123Z_My_List.csv".to_owned(),
        "buckets/b1/sectors/s1/leads.json".to_owned(),
        "uploads/user1/list.csv".to_owned(),
    ] {
        put_old(&system.objects, &key, key.as_bytes());
        let (status, found) = find(&owner, &key).await;
        assert_eq!((status, &found["foundIn"]), (200, &json!("legacy")), "{key}: {found}");
        assert_eq!(downloaded(&found).await, key.as_bytes());
        for api in &strangers {
            assert_eq!(find(api, &key).await.0, 404, "{key}");
        }
    }
    // What no pattern names is nobody's, whoever asks.
    put_old(&system.objects, "notes/plan.txt", b"x");
    let marker = "luci-store.json";
    for key in ["notes/plan.txt", marker, "buckets/absent.json", "audit/seals/0000000001.json"] {
        assert_eq!(find(&owner, key).await.0, 404, "{key}");
    }
    for key in ["", "/uploads/u/f", "uploads/../x", "uploads//f", "uploads/u/", "a/./b", &"k".repeat(1_025)] {
        let (status, problem) = find(&owner, key).await;
        assert_eq!((status, fields(&problem)), (400, vec!["key"]), "{key}: {problem}");
    }

    // A key of the tenant, with or without its id; and none of another tenant.
    let (_, reply) = send(&system.api, "/api/datalake/import", Form::new().part("file", csv(ROWS))).await;
    let key = reply["key"].as_str().expect("a key");
    let below = key.split_once('/').expect("a folder").1;
    for name in [key, below] {
        let (status, found) = find(&system.api, name).await;
        assert_eq!((status, &found["foundIn"]), (200, &json!("tenant")), "{found}");
        assert_eq!(found["checksum"], hex::encode(Sha256::digest(ROWS)));
        assert_eq!(downloaded(&found).await, ROWS.as_bytes());
        assert_eq!(find(&other, name).await.0, 404);
    }
    assert_eq!(find(&other, &format!("{other_tenant}/{below}")).await.0, 404);
    // Other domains have routes and rights of their own.
    let staging = luci_schema::object_key::ObjectKey::staging(system.tenant, luci_schema::ImportId::generate());
    system.storage.put(&staging, ROWS.into(), "text/csv").await.expect("put");
    assert_eq!(find(&system.api, &staging.to_string()).await.0, 404);
    running.stop().await;
}

async fn migrate(system: &System) {
    let migration = Migration::new(&system.running.log, &system.storage, system.tenant, MigrationMode::Copy);
    let summary = migration.run(async |_| Ok(())).await.expect("migrated");
    assert_eq!(summary.of(MigrationOutcome::Failed), 0, "{summary:?}");
}

#[tokio::test]
async fn an_erasure_reaches_the_copies_of_old_objects() {
    let system = system_with(SystemOptions::default()).await;
    let sector = json!({"name": "Plumbers", "legacyBucketId": "ny-construction-contractors-plumbers"});
    system.api.post("/api/sectors", &sector).await;
    let lead =
        json!({"companyName": "Acme", "firstName": "Zenobia", "lastName": "Quillfeather", "phone": "9175550142"});
    let (status, made) = system.api.post("/api/leads", &json!({"leads": [lead]})).await;
    assert_eq!(status, 201, "{made}");
    let (file, list) = ("uploads/u1/list.csv", format!("{PLUMBERS}processed/upload-1764498030123-k3j9x0a1b.json"));
    put_old(&system.objects, file, b"Name,Phone\nZenobia Quillfeather,(917) 555-0142\nAda Lee,(917) 555-0143\n");
    let records =
        json!({"records": [{"phone": "9175550142", "name": "Zenobia Quillfeather"}, {"phone": "9175550143"}]});
    put_old(&system.objects, &list, records.to_string().as_bytes());
    migrate(&system).await;
    for key in [file, list.as_str()] {
        let (status, found) = find(&system.api, key).await;
        assert_eq!((status, &found["foundIn"]), (200, &json!("migrated")), "{found}");
    }
    erase(&system.api, &json!({"phone": "9175550142"})).await;
    for key in [file, list.as_str()] {
        let (status, found) = find(&system.api, key).await;
        assert_eq!(status, 200, "{found}");
        let left = String::from_utf8(downloaded(&found).await).expect("text");
        assert!(left.contains("0143") && !left.contains("0142") && !left.contains("Zenobia"), "{key}: {left}");
    }
    // A later migration finds what it recorded, and does not bring the person back.
    migrate(&system).await;
    let (_, found) = find(&system.api, file).await;
    assert!(!String::from_utf8(downloaded(&found).await).expect("text").contains("Zenobia"));
}

#[tokio::test]
async fn a_migrated_object_is_its_copy_and_never_the_old_object_again() {
    let system = still().await;
    let (_, other) = system.other_tenant("other").await;
    let (url, running) = gateway_of_owner(&system).await;
    let owner = Api::new(url, &system.api.key);
    let old = "campaigns/c1.json";
    put_old(&system.objects, old, b"{\"to\":\"ann@acme.co\"}");
    migrate(&system).await;
    // Recorded for the tenant: also where the setting names nobody.
    for api in [&owner, &system.api] {
        let (status, found) = find(api, old).await;
        assert_eq!((status, &found["foundIn"]), (200, &json!("migrated")), "{found}");
        assert_eq!(downloaded(&found).await, b"{\"to\":\"ann@acme.co\"}");
        let (_, same) = find(api, found["objectPath"].as_str().expect("a key")).await;
        assert_eq!((&same["foundIn"], &same["checksum"]), (&json!("tenant"), &found["checksum"]));
    }
    assert_eq!(find(&other, old).await.0, 404);
    let (_, found) = find(&owner, old).await;
    let copy = system.objects.join(found["objectPath"].as_str().expect("a key"));
    // An object that changed gets another copy; the first one stays.
    put_old(&system.objects, old, b"{\"to\":\"bo@acme.co\", \"n\":2}");
    migrate(&system).await;
    let (_, second) = find(&owner, old).await;
    assert_ne!(second["objectPath"], found["objectPath"]);
    assert!(copy.exists());
    // A copy that is not what was recorded is never answered, and the old object is no way around it.
    std::fs::write(system.objects.join(second["objectPath"].as_str().expect("a key")), b"{}").expect("written");
    assert_eq!(find(&owner, old).await.0, 409);
    std::fs::remove_file(system.objects.join(second["objectPath"].as_str().expect("a key"))).expect("removed");
    assert_eq!(find(&owner, old).await.0, 409);
    running.stop().await;
}
