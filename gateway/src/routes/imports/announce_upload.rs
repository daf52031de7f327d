//! `POST /api/uploads`: announces an upload and answers with a presigned URL for it.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use luci_leads::store::imports::{self, NewImport};
use luci_schema::{ImportId, Micros, object_key::ObjectKey};
use luci_storage::Storage;
use serde::Deserialize;
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reply,
    request::Request,
    routes::{
        HandlerResult,
        imports::csv_file::{CONTENT_TYPES, file_name_error, import_key, is_csv},
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UploadBody {
    file_name: String,
    size_bytes: u64,
    content_type: String,
    /// SHA-256 in hex.
    checksum: Option<String>,
}

impl UploadBody {
    fn check(&self, limit: u64) -> Result<(), Problem> {
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
        let hex = |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if self.checksum.as_ref().is_some_and(|checksum| !hex(checksum)) {
            errors.push(("checksum".into(), "SHA-256 in hex, 64 characters".into()));
        }
        if errors.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(errors)) }
    }
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (mut body, _) = request.json::<UploadBody>().await?;
    // A header has no white space around its value, and the URL is signed for the value.
    body.content_type = body.content_type.trim().to_owned();
    body.check(app.options.upload_limit)?;
    let (id, created_at) = (ImportId::generate(), Micros::now());
    let key = import_key(caller.tenant, id, &body.file_name, created_at);
    let staging = ObjectKey::staging(caller.tenant, id);
    let signed = app.storage.upload_url(&staging, &body.content_type, body.size_bytes, Storage::UPLOAD_VALID).await?;
    let new = NewImport {
        id,
        file_name: body.file_name,
        object_path: key.to_string(),
        staged: true,
        content_type: body.content_type,
        size_bytes: Some(body.size_bytes),
        checksum: body.checksum.map(|checksum| checksum.to_ascii_lowercase()),
        created_by: caller.author().to_string(),
        created_at,
    };
    let mut c = app.engine_pool.acquire().await?;
    imports::begin(&mut c, caller.tenant, &new).await?;
    let headers: serde_json::Map<_, _> = signed.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    let body = json!({"importId": id, "url": signed.url, "method": signed.method, "headers": headers,
        "key": new.object_path, "expiresAt": signed.expires_at.rfc3339()});
    Ok(reply::json(StatusCode::CREATED, &body))
}
