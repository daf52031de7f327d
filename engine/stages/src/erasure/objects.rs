//! Rewrites the objects of a tenant without a person. Every object below the tenant is read, whoever wrote it.
//!
//! What the log recorded with a digest (imports, artifacts) is written as a new object; the log names it, and then the old one is
//! deleted. Whatever fails in between, the next pass finds the old object again and does the same. Lists and payloads, which no
//! event records, are overwritten.

use bytes::Bytes;
use futures::TryStreamExt as _;
use luci_leads::{
    commands::new_leads,
    read::{
        csv_row::Limits,
        erased_row, file_header,
        layout::{Layout, ReadOptions},
    },
    store::imports,
};
use luci_schema::{
    ObjectDigest, TenantId,
    event::{ErasedObject, ErasedVersion},
    object_key::{ContentHash, FileName, ObjectKey, ObjectLocation},
};
use luci_storage::{ListedObject, Storage, StorageError};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{
    ErasureError,
    person::Person,
    redact::{self, Left},
};

/// An object that held data of the person.
pub(super) struct Rewritten {
    pub key: ObjectKey,
    pub object: ErasedObject,
    /// The content that replaces it; `None`: nothing does.
    pub bytes: Option<Bytes>,
    /// Of a webhook's payload: the digest of the body that is left.
    pub body: Option<ObjectDigest>,
}

impl Rewritten {
    /// Whether the new content has a key of its own.
    pub fn is_new_object(&self) -> bool {
        self.object.now.as_ref().is_some_and(|now| now.object_path != self.object.object_path)
    }
}

/// The objects below the tenant, in pages of the store.
pub(super) async fn all(storage: &Storage, tenant: TenantId) -> Result<Vec<ListedObject>, StorageError> {
    storage.list(&format!("{tenant}/")).try_collect().await
}

/// What becomes of an object; `None`: the person is not in it, or it is gone already.
pub(super) async fn rewritten(
    c: &mut PgConnection,
    storage: &Storage,
    person: &Person,
    object_path: &str,
) -> Result<Option<Rewritten>, ErasureError> {
    // Another key is of no object that LUCI writes.
    let Ok(key) = object_path.parse::<ObjectKey>() else { return Ok(None) };
    let read = async || match storage.get(object_path).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StorageError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    };
    let left = match &key.place {
        ObjectLocation::Template { .. } => return Ok(None),
        ObjectLocation::Recording { call_id, .. } => {
            if person.calls.contains(&call_id.to_string()) {
                Left::Nothing
            } else {
                Left::Same
            }
        }
        ObjectLocation::Staging { .. } | ObjectLocation::StagedPart { .. } => match read().await? {
            // It was copied to the import's key, or never will be.
            Some(bytes) if person.is_in(&String::from_utf8_lossy(&bytes)) => Left::Nothing,
            _ => Left::Same,
        },
        place => {
            let Some(bytes) = read().await? else { return Ok(None) };
            match place {
                ObjectLocation::Import { import_id, .. } => import(c, &key, *import_id, person, &bytes).await?,
                ObjectLocation::Artifact { .. } => redact::lead_lines(person, &bytes),
                ObjectLocation::Webhook { .. } => return Ok(webhook(person, key, object_path, &bytes)),
                _ => redact::document(person, &bytes),
            }
        }
    };
    Ok(match left {
        Left::Same => None,
        Left::Nothing => Some(gone(key, object_path)),
        Left::Without(bytes) => Some(replaced(key, object_path, bytes)?),
    })
}

async fn import(
    c: &mut PgConnection,
    key: &ObjectKey,
    id: luci_schema::ImportId,
    person: &Person,
    bytes: &[u8],
) -> Result<Left, ErasureError> {
    let Some(import) = imports::get(c, key.tenant_id, id).await? else { return Ok(redact::text(person, bytes)) };
    if import.content_type == new_leads::CONTENT_TYPE {
        return Ok(redact::lead_lines(person, bytes));
    }
    let stored = imports::layout(c, key.tenant_id, id).await?;
    // A file that nothing could read is of no use to anybody.
    let Some(layout) = stored.or_else(|| layout_of(bytes)) else { return Ok(redact::text(person, bytes)) };
    let is_of = |row: u64, cells: &[String]| person.is_row(id, row) || person.is_in(&cells.join("\n"));
    match erased_row::erase_rows(bytes, &layout, is_of) {
        Ok(None) => Ok(Left::Same),
        Ok(Some(bytes)) => Ok(Left::Without(bytes)),
        Err(error) => Err(ErasureError::File { object_path: key.to_string(), error }),
    }
}

fn layout_of(bytes: &[u8]) -> Option<Layout> {
    let options = ReadOptions::default();
    let header = file_header::header(bytes, true, Limits::default(), &options).ok()??;
    header.layout(header.dialect.encoding, &options).ok()
}

/// The payload of a delivery: mostly about one person, sometimes a list of events about several.
fn webhook(person: &Person, key: ObjectKey, object_path: &str, bytes: &[u8]) -> Option<Rewritten> {
    let Ok(mut stored) = serde_json::from_slice::<Value>(bytes) else {
        return matches!(redact::text(person, bytes), Left::Nothing | Left::Without(_)).then(|| gone(key, object_path));
    };
    let body = stored["body"].as_str().unwrap_or_default().to_owned();
    match redact::document(person, body.as_bytes()) {
        Left::Same if person.is_in(&decoded(&body)) || person.is_in(&redact::text_of(&stored)) => {
            Some(gone(key, object_path))
        }
        Left::Same => None,
        Left::Without(body) if serde_json::from_slice::<Value>(&body).is_ok() => {
            let digest = digest_of(&body);
            stored["body"] = String::from_utf8_lossy(&body).into_owned().into();
            let bytes = stored.to_string().into_bytes();
            if person.is_in(&redact::text_of(&stored)) {
                return Some(gone(key, object_path));
            }
            let now = Some(ErasedVersion { object_path: object_path.to_owned(), digest: digest_of(&bytes) });
            let object = ErasedObject { object_path: object_path.to_owned(), now };
            Some(Rewritten { key, object, bytes: Some(bytes.into()), body: Some(digest) })
        }
        Left::Without(_) | Left::Nothing => Some(gone(key, object_path)),
    }
}

/// The values of a form.
fn decoded(form: &str) -> String {
    url::form_urlencoded::parse(form.as_bytes()).map(|(_, value)| format!("{value}\n")).collect()
}

fn gone(key: ObjectKey, object_path: &str) -> Rewritten {
    Rewritten { key, object: ErasedObject { object_path: object_path.to_owned(), now: None }, bytes: None, body: None }
}

fn replaced(key: ObjectKey, object_path: &str, bytes: Vec<u8>) -> Result<Rewritten, ErasureError> {
    let digest = digest_of(&bytes);
    let now = ErasedVersion { object_path: version_key(&key, &digest)?.to_string(), digest };
    let object = ErasedObject { object_path: object_path.to_owned(), now: Some(now) };
    Ok(Rewritten { key, object, bytes: Some(bytes.into()), body: None })
}

/// Where the new content goes. It derives from the content, so a repeated pass writes the same object.
pub(super) fn version_key(key: &ObjectKey, digest: &ObjectDigest) -> Result<ObjectKey, StorageError> {
    let content = ContentHash::of(&digest.checksum)?;
    let mut key = key.clone();
    match &mut key.place {
        ObjectLocation::Artifact { content: hash, .. } => *hash = Some(content),
        ObjectLocation::Import { file, .. } => {
            let extension = file.as_str().rsplit_once('.').map_or("csv", |(_, extension)| extension).to_owned();
            *file = FileName::sanitise(&format!("erased_{content}.{extension}"));
        }
        _ => {}
    }
    Ok(key)
}

fn digest_of(bytes: &[u8]) -> ObjectDigest {
    ObjectDigest { size_bytes: bytes.len() as u64, checksum: hex::encode(Sha256::digest(bytes)) }
}

/// Key and content of an object; `None` for one that is gone, or that has no key of ours.
async fn key_and_content(storage: &Storage, object_path: &str) -> Result<Option<(ObjectKey, Bytes)>, StorageError> {
    let Ok(key) = object_path.parse::<ObjectKey>() else { return Ok(None) };
    match storage.get(object_path).await {
        Ok(bytes) => Ok(Some((key, bytes))),
        Err(StorageError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an object says of the person: rows of files as cells, lines and payloads as they are.
pub(super) async fn records(
    c: &mut PgConnection,
    storage: &Storage,
    person: &Person,
    object_path: &str,
) -> Result<Vec<Value>, ErasureError> {
    let Some((key, bytes)) = key_and_content(storage, object_path).await? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    match &key.place {
        ObjectLocation::Template { .. } | ObjectLocation::Staging { .. } | ObjectLocation::StagedPart { .. } => {}
        ObjectLocation::Recording { call_id, .. } => {
            found.extend(person.calls.contains(&call_id.to_string()).then(|| Value::from("a recorded call")));
        }
        ObjectLocation::Import { import_id, .. } => {
            let layout = imports::layout(c, key.tenant_id, *import_id).await?;
            match layout {
                Some(layout) => {
                    let is_of = |row: u64, cells: &[String]| {
                        if person.is_row(*import_id, row) || person.is_in(&cells.join("\n")) {
                            found.push(Value::from(cells.to_vec()));
                        }
                        false
                    };
                    erased_row::erase_rows(&bytes, &layout, is_of)
                        .map_err(|error| ErasureError::File { object_path: object_path.to_owned(), error })?;
                }
                None => found.extend(lines(person, &bytes)),
            }
        }
        _ => found.extend(lines(person, &bytes)),
    }
    Ok(found)
}

/// What lines say of the person; JSON as JSON, and of lists and payloads only the items about the person.
fn lines(person: &Person, bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(bytes);
    let of_line = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(value) => match value["body"].as_str().map(|body| (serde_json::from_str::<Value>(body), body)) {
            Some((Ok(body), _)) => redact::about(person, &body),
            Some((Err(_), body)) if person.is_in(&decoded(body)) || person.is_in(body) => vec![Value::from(body)],
            Some((Err(_), _)) => Vec::new(),
            None => redact::about(person, &value),
        },
        Err(_) if person.is_in(line) => vec![Value::from(line)],
        Err(_) => Vec::new(),
    };
    text.lines().filter(|line| !line.is_empty()).flat_map(of_line).collect()
}

/// The texts of an object's records: decoded cells of rows, values of documents and payloads, lines.
pub(super) async fn texts(
    c: &mut PgConnection,
    storage: &Storage,
    object_path: &str,
) -> Result<Vec<String>, ErasureError> {
    let Some((key, bytes)) = key_and_content(storage, object_path).await? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    match &key.place {
        ObjectLocation::Template { .. } | ObjectLocation::Recording { .. } => {}
        ObjectLocation::Import { import_id, .. } => {
            let stored = imports::layout(c, key.tenant_id, *import_id).await?;
            if let Some(layout) = stored.or_else(|| layout_of(&bytes)) {
                let read = |_: u64, cells: &[String]| {
                    found.push(cells.join("\n"));
                    false
                };
                erased_row::erase_rows(&bytes, &layout, read)
                    .map_err(|error| ErasureError::File { object_path: object_path.to_owned(), error })?;
            } else {
                found.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
            }
        }
        _ => found.extend(document_texts(&bytes)),
    }
    Ok(found)
}

/// Of JSON both the lines, which may be leads, and the values, which escapes do not hide; of a delivery also the body's.
fn document_texts(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut found: Vec<String> = text.lines().map(str::to_owned).collect();
    let whole = serde_json::from_slice::<Value>(bytes).into_iter();
    for value in whole.chain(text.lines().filter_map(|line| serde_json::from_str(line).ok())) {
        found.push(redact::text_of(&value));
        if let Some(body) = value["body"].as_str() {
            found.push(decoded(body));
            found.extend(serde_json::from_str::<Value>(body).ok().map(|body| redact::text_of(&body)));
        }
    }
    found
}
