//! What a client announces of a file that it will upload.

use http::HeaderValue;
use luci_leads::store::imports::NewImport;
use luci_schema::{ImportId, Micros};
use serde::Deserialize;

use crate::{
    caller::Caller,
    routes::imports::csv_file::{CONTENT_TYPES, file_name_error, import_key, is_csv},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUpload {
    pub file_name: String,
    pub size_bytes: u64,
    pub content_type: String,
    /// SHA-256 in hex.
    pub checksum: Option<String>,
}

impl NewUpload {
    /// Wrong fields with their reasons. White space around the content type is removed.
    pub fn errors(&mut self, limit: u64) -> Vec<(String, String)> {
        // A header has no white space around its value, and the URL is signed for the value.
        self.content_type = self.content_type.trim().to_owned();
        let mut errors: Vec<(String, String)> = Vec::new();
        errors.extend(file_name_error(&self.file_name));
        if !(1..=limit).contains(&self.size_bytes) {
            errors.push(("sizeBytes".into(), format!("1 to {limit} bytes, found {}", self.size_bytes)));
        }
        if !is_csv(&self.content_type) {
            errors.push(("contentType".into(), format!("one of {}", CONTENT_TYPES.join(", "))));
        } else if self.content_type.len() > 255 || HeaderValue::from_str(&self.content_type).is_err() {
            errors.push(("contentType".into(), "the value of a header, at most 255 characters".into()));
        }
        if self.checksum.as_ref().is_some_and(|checksum| !is_sha256(checksum)) {
            errors.push(("checksum".into(), SHA256.into()));
        }
        errors
    }

    /// The pending import of it, under a new id.
    pub fn into_import(self, caller: &Caller) -> NewImport {
        let (id, created_at) = (ImportId::generate(), Micros::now());
        NewImport {
            id,
            object_path: import_key(caller.tenant, id, &self.file_name, created_at).to_string(),
            file_name: self.file_name,
            staged: true,
            content_type: self.content_type,
            size_bytes: Some(self.size_bytes),
            checksum: self.checksum.map(|checksum| checksum.to_ascii_lowercase()),
            created_by: caller.author().to_string(),
            created_at,
        }
    }
}

/// What a checksum has to be.
pub const SHA256: &str = "SHA-256 in hex, 64 characters";

pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
