//! What a presigned URL answers is the same from a bucket and from the local store, asked by curl, boto3 and a browser. The table in
//! `deploy/docs/stores.md` is the output of this test.

use std::{fmt::Write as _, path::Path, time::Duration};

use luci_schema::{
    ImportId, Micros, TenantId,
    event::ObjectDigest,
    object_key::{Day, FileName, ObjectKey, ObjectLocation},
};
use luci_storage::{SignedUrl, StagedPart, Storage};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::clients::{Asked, Client};
use crate::{
    gateway::{fixture::still, upload_parts::changed},
    support::{Browser, Bucket, browser, found},
};

const TEXT: &str = "a,b\n1,2\n";
const VALID: Duration = Duration::from_secs(600);

fn tampered(url: &str) -> String {
    changed(&changed(url, "Signature="), "sig=")
}

/// A PUT with one header replaced, or left out when its value is empty.
fn put(name: &'static str, signed: &SignedUrl, body: &str, replaced: Option<(&str, &str)>) -> Asked {
    let value = |name: &str, own: &str| match replaced {
        Some((changed, other)) if changed == name => other.to_owned(),
        _ => own.to_owned(),
    };
    let headers = signed.headers.iter().map(|(name, own)| (name.to_string(), value(name, own)));
    let headers = headers.filter(|(_, value)| !value.is_empty()).collect();
    Asked { name, method: "PUT", url: signed.url.clone(), headers, body: Some(body.to_owned()) }
}

fn get(name: &'static str, url: &str, headers: &[(&str, &str)]) -> Asked {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Asked { name, method: "GET", url: url.to_owned(), headers, body: None }
}

/// What a store has, as signed URLs.
struct Urls {
    file: String,
    none: String,
    late: String,
    upload: SignedUrl,
    part: SignedUrl,
}

async fn urls(storage: &Storage) -> Urls {
    let tenant = TenantId::generate();
    let import = |file: &str| {
        let (day, import_id) = (Day::of(Micros::now()), ImportId::generate());
        ObjectKey::new(tenant, ObjectLocation::Import { day, import_id, file: FileName::sanitise(file) })
    };
    let key = import("leads.csv");
    storage.put(&key, TEXT.into(), "text/csv").await.expect("put");
    let download =
        async |path: &str, valid| storage.download_url(path, "My leads.csv", valid).await.expect("signed").url;
    let staging = ObjectKey::staging(tenant, ImportId::generate());
    let digest = ObjectDigest { size_bytes: TEXT.len() as u64, checksum: hex::encode(Sha256::digest(TEXT)) };
    let part = StagedPart::new(tenant, ImportId::generate(), 1, digest).expect("a part");
    Urls {
        file: download(&key.to_string(), VALID).await,
        none: download(&import("none.csv").to_string(), VALID).await,
        late: download(&key.to_string(), Duration::ZERO).await,
        upload: storage.upload_url(&staging, "text/csv", 100, VALID).await.expect("signed"),
        part: storage.part_url(&part, "text/csv", VALID).await.expect("signed"),
    }
}

fn downloads(urls: &Urls) -> Vec<Asked> {
    let Urls { file, none, upload, .. } = urls;
    vec![
        get("GET a CSV", file, &[]),
        get("GET, `Range: bytes=2-5`", file, &[("Range", "bytes=2-5")]),
        get("GET, `Range: bytes=-3`", file, &[("Range", "bytes=-3")]),
        get("GET, `Range: bytes=6-`", file, &[("Range", "bytes=6-")]),
        get("GET, `Range: bytes=900-`", file, &[("Range", "bytes=900-")]),
        get("GET, `If-None-Match` of another", file, &[("If-None-Match", "\"other\"")]),
        get("GET without an object", none, &[]),
        get("GET, signature changed", &tampered(file), &[]),
        get("GET, key changed", &file.replace("leads.csv", "other.csv"), &[]),
        get("GET at the URL of an upload", &upload.url, &[]),
    ]
}

fn uploads(urls: &Urls) -> Vec<Asked> {
    let Urls { file, upload, part, .. } = urls;
    let at = |url: String| SignedUrl { url, ..upload.clone() };
    let (content_type, checksum) = ("content-type", "x-amz-checksum-sha256");
    vec![
        put("PUT", upload, TEXT, None),
        put("PUT again", upload, TEXT, None),
        put("PUT of another type", upload, TEXT, Some((content_type, "text/html"))),
        put("PUT without a type", upload, TEXT, Some((content_type, ""))),
        put("PUT, signature changed", &at(tampered(&upload.url)), TEXT, None),
        put("PUT at the URL of a download", &at(file.clone()), TEXT, None),
        put("PUT of a part", part, TEXT, None),
        put("PUT of a part, cut off", part, "a,b\n", None),
        put("PUT of a part, other content", part, "a,b\n1,3\n", None),
        put("PUT of a part, too long", part, "a,b\n1,2\n3,4\n", None),
        put("PUT of a part without its checksum", part, TEXT, Some((checksum, ""))),
        put("PUT of a part with another checksum", part, TEXT, Some((checksum, "AAAA"))),
    ]
}

/// The answers of one store to one client, in order.
async fn answers(storage: &Storage, client: &mut Client) -> Vec<(&'static str, String)> {
    let urls = urls(storage).await;
    let asked: Vec<Asked> = downloads(&urls).into_iter().chain(uploads(&urls)).collect();
    let mut table: Vec<_> = asked.iter().map(|asked| asked.name).zip(client.ask(&asked).await).collect();
    // A second after it was signed.
    let late = [get("GET, expired", &urls.late, &[])];
    let expired = async || Some(client.ask(&late).await.remove(0)).filter(|answer| !answer.starts_with("200"));
    table.push((late[0].name, found("the URL expires", expired).await));
    table
}

/// What a page may read that is of another origin than the store: nothing, without a rule. An empty page has no policy of its own.
async fn from_elsewhere(browser: &mut Browser, storage: &Storage) -> String {
    browser.open("about:blank").await;
    let url = urls(storage).await.file;
    let script = format!("fetch({}).then(answer => 'status ' + answer.status, () => 'blocked')", json!(url));
    browser.eval(&script).await.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs luci-s3-server, botocore and a browser; make test runs it"]
async fn both_stores_answer_alike() {
    let (bucket, system) = (Bucket::new().await, still().await);
    // The dashboard: other answers of the gateway have a policy by which a page may fetch nothing.
    let local_page = format!("{}/admin/pipelines", system.api.url);
    let mut columns: Vec<Vec<(&str, String)>> = Vec::new();
    let mut different = Vec::new();
    for name in ["curl", "boto3", "browser"] {
        let mut client = Client::named(name, &bucket.endpoint).await;
        let theirs = answers(&bucket.storage, &mut client).await;
        client.at(&local_page).await;
        let ours = answers(&system.storage, &mut client).await;
        for ((request, theirs), (_, ours)) in theirs.iter().zip(&ours).filter(|(theirs, ours)| theirs != ours) {
            different.push(format!("{request}, {name}\n  bucket: {theirs}\n  local:  {ours}"));
        }
        columns.push(ours);
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    let mut browser = browser().await;
    for storage in [&bucket.storage, &system.storage] {
        assert_eq!(from_elsewhere(&mut browser, storage).await, "blocked");
    }
    let table = table(&columns);
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/docs/stores.md");
    let text = std::fs::read_to_string(&document).expect("the document");
    assert!(text.contains(&table), "{} is not what the stores answer; its table is:\n{table}", document.display());
}

/// curl's answers, and of the other clients whether theirs are the same.
fn table(columns: &[Vec<(&str, String)>]) -> String {
    let mut table = String::from("| request | answer of both stores to curl | boto3 | browser |\n|---|---|---|---|\n");
    for (row, (name, answer)) in columns[0].iter().enumerate() {
        let other = |column: usize| match &columns[column][row].1 {
            same if same == answer => "same",
            other => other.as_str(),
        };
        let _infallible = writeln!(table, "| {name} | {answer} | {} | {} |", other(1), other(2));
    }
    table
}
