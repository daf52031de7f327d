//! Uploads in parts: announced, put in any order, continued, joined.

mod checked;
mod ended;

use futures::TryStreamExt;
use luci_schema::object_key::ObjectKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::fixture::still;
use crate::support::{Api, System};

pub const PART: usize = 5 << 20;

/// A CSV of three parts, with long cells so that it has few rows.
pub fn csv() -> Vec<u8> {
    let note = "n".repeat(20_000);
    let rows = (0..600).map(|n| format!("Firm {n},(212) 555-{n:04},{note}\n"));
    std::iter::once("Company,Phone,Note\n".to_owned()).chain(rows).collect::<String>().into_bytes()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// An announced upload and its file.
pub struct Upload {
    pub api: Api,
    pub id: String,
    pub file: Vec<u8>,
    pub answer: Value,
}

pub async fn announce(api: &Api, file: Vec<u8>) -> Upload {
    let body = json!({"fileName": "Large leads.csv", "sizeBytes": file.len(), "contentType": "text/csv",
        "checksum": sha256(&file), "partBytes": PART});
    let (status, answer) = api.post("/api/uploads/multipart", &body).await;
    assert_eq!(status, 201, "{answer}");
    let id = answer["importId"].as_str().expect("an id").to_owned();
    Upload { api: api.clone(), id, file, answer }
}

impl Upload {
    pub fn part(&self, number: usize) -> &[u8] {
        self.file.chunks(PART).nth(number - 1).expect("a part")
    }

    /// A signed URL for this content of a part.
    pub async fn sign(&self, number: usize, content: &[u8]) -> Value {
        let body = json!({"parts": [{"number": number, "checksum": sha256(content)}]});
        let (status, signed) = self.api.post(&format!("/api/uploads/{}/parts", self.id), &body).await;
        assert_eq!(status, 200, "{signed}");
        signed["parts"][0].clone()
    }

    pub async fn put(&self, number: usize) -> Value {
        let signed = self.sign(number, self.part(number)).await;
        assert_eq!(put(&signed, self.part(number).to_vec()).await.0, 200);
        signed
    }

    pub async fn status(&self) -> Value {
        let (status, answer) = self.api.get(&format!("/api/uploads/{}", self.id)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn missing(&self) -> Value {
        self.status().await["missing"].clone()
    }

    pub async fn complete(&self) -> (u16, Value) {
        let (status, answer) = self.api.post(&format!("/api/uploads/{}/complete", self.id), &json!({})).await;
        (status.as_u16(), answer)
    }

    pub async fn abort(&self) -> (u16, Value) {
        let (status, answer) = self.api.delete(&format!("/api/uploads/{}", self.id)).await;
        (status.as_u16(), answer)
    }

    /// Objects below its staging folder.
    pub async fn staged(&self, system: &System) -> usize {
        system.storage.list(&self.folder(system)).try_collect::<Vec<_>>().await.expect("listed").len()
    }

    pub fn folder(&self, system: &System) -> String {
        ObjectKey::staged_parts_of(system.tenant, self.id.parse().expect("an id"))
    }
}

/// Puts a body to a signed URL, with its headers.
pub async fn put(signed: &Value, body: Vec<u8>) -> (u16, Value) {
    let mut request = reqwest::Client::new().put(signed["url"].as_str().expect("a url"));
    for (name, value) in signed["headers"].as_object().expect("headers") {
        request = request.header(name, value.as_str().expect("a text"));
    }
    let response = request.body(body).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_file_in_parts_is_continued_joined_verified_and_counted() {
    continued_and_joined(&still().await).await;
}

/// The same on every store.
pub async fn continued_and_joined(system: &System) {
    let upload = announce(&system.api, csv()).await;
    assert_eq!((&upload.answer["partBytes"], &upload.answer["partCount"]), (&json!(PART), &json!(3)));
    assert_eq!(upload.missing().await, json!([1, 2, 3]));
    let (status, problem) = upload.complete().await;
    assert_eq!((status, &problem["missing"]), (422, &json!([1, 2, 3])), "{problem}");
    assert_eq!(problem["type"], "urn:luci:problem:parts-missing");
    // In any order; one of them twice.
    upload.put(3).await;
    let first = upload.put(1).await;
    assert_eq!(put(&first, upload.part(1).to_vec()).await.0, 200, "it replaces itself");
    let status = upload.status().await;
    assert_eq!((&status["status"], &status["missing"]), (&json!("pending"), &json!([2])), "{status}");
    let arrived: Vec<(u64, u64, &str)> = status["parts"]
        .as_array()
        .expect("parts")
        .iter()
        .map(|part| {
            let number = |name: &str| part[name].as_u64().expect("a number");
            (number("number"), number("sizeBytes"), part["checksum"].as_str().expect("a text"))
        })
        .collect();
    let (one, three) = (sha256(upload.part(1)), sha256(upload.part(3)));
    let rest = (upload.file.len() - 2 * PART) as u64;
    assert_eq!(arrived, [(1, PART as u64, one.as_str()), (3, rest, three.as_str())]);
    assert_eq!(status["receivedBytes"], PART as u64 + rest);
    let (status, problem) = upload.complete().await;
    assert_eq!((status, &problem["missing"]), (422, &json!([2])), "{problem}");
    upload.put(2).await;
    let (status, import) = upload.complete().await;
    assert_eq!((status, &import["status"], &import["rows"]), (200, &json!("completed"), &json!(600)), "{import}");
    assert_eq!(import["checksum"], sha256(&upload.file));
    assert_eq!(upload.complete().await, (200, import.clone()), "completing twice is completing once");
    let key = import["key"].as_str().expect("a key");
    assert_eq!(system.storage.get(key).await.expect("stored"), upload.file);
    let ended = upload.status().await;
    assert_eq!(
        (&ended["parts"], &ended["missing"], &ended["receivedBytes"]),
        (&json!([]), &json!([]), &ended["sizeBytes"])
    );
    assert_eq!(upload.staged(system).await, 0, "nothing of the parts is left");
    assert!(!system.objects.join(upload.folder(system)).exists(), "nor an empty folder");
    let body = json!({"parts": [{"number": 1, "checksum": one}]});
    let (status, problem) = system.api.post(&format!("/api/uploads/{}/parts", upload.id), &body).await;
    assert_eq!((status.as_u16(), &problem["type"]), (409, &json!("urn:luci:problem:upload-over")));
    assert_eq!(upload.abort().await.0, 409, "a completed import stays");
}

#[tokio::test]
async fn a_part_that_is_cut_off_or_is_another_does_not_count() {
    only_the_announced_content_counts(&still().await).await;
}

/// The same on every store.
pub async fn only_the_announced_content_counts(system: &System) {
    let upload = announce(&system.api, csv()).await;
    let part = upload.part(1).to_vec();
    let signed = upload.sign(1, &part).await;
    let mut other = part.clone();
    other[7] ^= 1;
    assert_eq!(put(&signed, other.clone()).await.0, 400, "a bit flipped on its way");
    assert_eq!(put(&signed, part[..1000].to_vec()).await.0, 400, "shorter than the part");
    let mut bare = signed.clone();
    bare["headers"] = json!({"content-type": "text/csv"});
    assert_eq!(put(&bare, b"x".into()).await.0, 403, "S3 wants the signed header too");
    bare["headers"] = upload.sign(2, &other).await["headers"].clone();
    assert_eq!(put(&bare, b"x".into()).await.0, 403, "the header of another content");
    let url = signed["url"].as_str().expect("a url");
    let after = ["sha256=", "max=", "sig=", "Signature="].map(|name| changed(url, name));
    for other_url in after.into_iter().chain([url.replace("/1_", "/2_")]).filter(|other| other != url) {
        let mut other = signed.clone();
        other["url"] = other_url.into();
        assert_eq!(put(&other, b"x".into()).await.0, 403, "{} was signed as {url}", other["url"]);
    }
    cut_off(&signed, &part).await;
    assert_eq!(upload.missing().await, json!([1, 2, 3]), "nothing of all that counts");
    assert_eq!(put(&signed, part).await.0, 200);
    assert_eq!(upload.missing().await, json!([2, 3]));
}

/// The URL with another character after this text, if it has it.
pub fn changed(url: &str, after: &str) -> String {
    let Some((before, rest)) = url.split_once(after) else { return url.to_owned() };
    let other = if rest.starts_with('1') { '2' } else { '1' };
    format!("{before}{after}{other}{}", &rest[1..])
}

/// Sends a part over a connection that breaks in the middle.
async fn cut_off(signed: &Value, part: &[u8]) {
    let url = reqwest::Url::parse(signed["url"].as_str().expect("a url")).expect("a url");
    let (host, port) = (url.host_str().expect("a host"), url.port().expect("a port"));
    let mut stream = TcpStream::connect((host, port)).await.expect("a connection");
    let mut head =
        format!("PUT {}?{} HTTP/1.1\r\nhost: {host}:{port}\r\n", url.path(), url.query().unwrap_or_default());
    for (name, value) in signed["headers"].as_object().expect("headers") {
        head += &format!("{name}: {}\r\n", value.as_str().expect("a text"));
    }
    head += &format!("content-length: {}\r\n\r\n", part.len());
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(&part[..part.len() / 2]).await.expect("sent");
    stream.shutdown().await.expect("closed");
    // Until the gateway has closed it too: then it has seen the end.
    let _answer = stream.read_to_end(&mut Vec::new()).await;
}
