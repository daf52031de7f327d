//! What a presigned URL answers is the same from a bucket and from the local store, asked by curl. The table in
//! `deploy/docs/stores.md` is the output of this test.

use std::{fmt::Write as _, path::Path, process::Command, time::Duration};

use luci_schema::{
    ImportId, Micros, TenantId,
    event::ObjectDigest,
    object_key::{Day, FileName, ObjectKey, ObjectLocation},
};
use luci_storage::{SignedUrl, StagedPart, Storage};
use sha2::{Digest, Sha256};

use crate::{
    gateway::{fixture::still, upload_parts::changed},
    support::{Bucket, found},
};

const TEXT: &str = "a,b\n1,2\n";
const VALID: Duration = Duration::from_secs(600);

/// A request: its name in the table, and curl's arguments without the URL.
struct Asked {
    name: &'static str,
    url: String,
    arguments: Vec<String>,
}

/// The status and the headers that a client relies on; of those that differ by nature, that they are there.
fn curl(asked: &Asked) -> String {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-o", "/dev/null", "-D", "-", "--http1.1", "-H", "Expect:"])
        .args(&asked.arguments)
        .arg(&asked.url);
    let output = command.output().expect("curl");
    let head = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("no answer").to_owned();
    if !status.starts_with(['2', '3']) || asked.arguments.iter().any(|argument| argument == "PUT") {
        return status;
    }
    let headers: Vec<(String, &str)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value)).collect();
    let mut answer = status;
    for name in ["content-type", "content-length", "content-range", "content-disposition"] {
        if let Some((_, value)) = headers.iter().find(|(found, _)| found == name) {
            let _infallible = write!(answer, "; `{name}: {}`", value.trim());
        }
    }
    for name in ["etag", "last-modified"] {
        if headers.iter().any(|(found, _)| found == name) {
            let _infallible = write!(answer, "; `{name}`");
        }
    }
    answer
}

fn tampered(url: &str) -> String {
    changed(&changed(url, "Signature="), "sig=")
}

/// curl's arguments for a PUT, with one header replaced; curl leaves out a header without a value.
fn put(signed: &SignedUrl, body: &str, replaced: Option<(&str, &str)>) -> Vec<String> {
    let mut arguments: Vec<String> = ["-X", "PUT", "--data-binary", body].map(str::to_owned).into();
    for (name, value) in &signed.headers {
        let value = replaced.filter(|(changed, _)| changed == name).map_or(value.as_str(), |(_, other)| other);
        arguments.extend(["-H".to_owned(), format!("{name}: {value}").trim_end().to_owned()]);
    }
    arguments
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
    let get = |name, url: &str, headers: &[&str]| {
        let arguments = headers.iter().flat_map(|header| ["-H".to_owned(), (*header).to_owned()]).collect();
        Asked { name, url: url.to_owned(), arguments }
    };
    let Urls { file, none, upload, .. } = urls;
    vec![
        get("GET a CSV", file, &[]),
        get("GET, `Range: bytes=2-5`", file, &["Range: bytes=2-5"]),
        get("GET, `Range: bytes=-3`", file, &["Range: bytes=-3"]),
        get("GET, `Range: bytes=6-`", file, &["Range: bytes=6-"]),
        get("GET, `Range: bytes=900-`", file, &["Range: bytes=900-"]),
        get("GET, `If-None-Match` of another", file, &["If-None-Match: \"other\""]),
        get("GET without an object", none, &[]),
        get("GET, signature changed", &tampered(file), &[]),
        get("GET, key changed", &file.replace("leads.csv", "other.csv"), &[]),
        get("GET at the URL of an upload", &upload.url, &[]),
    ]
}

fn uploads(urls: &Urls) -> Vec<Asked> {
    let Urls { file, upload, part, .. } = urls;
    let of = |name, url: &str, arguments| Asked { name, url: url.to_owned(), arguments };
    let (content_type, checksum) = ("content-type", "x-amz-checksum-sha256");
    vec![
        of("PUT", &upload.url, put(upload, TEXT, None)),
        of("PUT again", &upload.url, put(upload, TEXT, None)),
        of("PUT of another type", &upload.url, put(upload, TEXT, Some((content_type, "text/html")))),
        of("PUT without a type", &upload.url, put(upload, TEXT, Some((content_type, "")))),
        of("PUT, signature changed", &tampered(&upload.url), put(upload, TEXT, None)),
        of("PUT at the URL of a download", file, put(upload, TEXT, None)),
        of("PUT of a part", &part.url, put(part, TEXT, None)),
        of("PUT of a part, cut off", &part.url, put(part, "a,b\n", None)),
        of("PUT of a part, other content", &part.url, put(part, "a,b\n1,3\n", None)),
        of("PUT of a part, too long", &part.url, put(part, "a,b\n1,2\n3,4\n", None)),
        of("PUT of a part without its checksum", &part.url, put(part, TEXT, Some((checksum, "")))),
        of("PUT of a part with another checksum", &part.url, put(part, TEXT, Some((checksum, "AAAA")))),
    ]
}

/// Every request with its answer, in order.
async fn answers(storage: &Storage) -> Vec<(&'static str, String)> {
    let urls = urls(storage).await;
    let late = Asked { name: "GET, expired", url: urls.late.clone(), arguments: Vec::new() };
    let mut table = tokio::task::spawn_blocking(move || {
        let all = downloads(&urls).into_iter().chain(uploads(&urls));
        all.map(|asked| (asked.name, curl(&asked))).collect::<Vec<_>>()
    })
    .await
    .expect("asked");
    // A second after it was signed.
    let expired =
        found("the URL expires", async || Some(curl(&late)).filter(|answer| !answer.starts_with("200"))).await;
    table.push((late.name, expired));
    table
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn both_stores_answer_alike() {
    let (bucket, system) = (Bucket::new().await, still().await);
    let (of_bucket, local) = (answers(&bucket.storage).await, answers(&system.storage).await);
    let mut table = String::from("| request | answer of both stores |\n|---|---|\n");
    let mut different = Vec::new();
    for ((name, theirs), (_, ours)) in of_bucket.iter().zip(&local) {
        let _infallible = writeln!(table, "| {name} | {ours} |");
        if ours != theirs {
            different.push(format!("{name}\n  bucket: {theirs}\n  local:  {ours}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/docs/stores.md");
    let text = std::fs::read_to_string(&document).expect("the document");
    assert!(text.contains(&table), "{} is not what the stores answer; its table is:\n{table}", document.display());
}
