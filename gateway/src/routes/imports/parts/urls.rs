//! `POST /api/uploads/{importId}/parts`: presigned URLs for parts of an upload, each for one content.

use std::{collections::HashSet, sync::Arc, time::Duration};

use http::StatusCode;
use luci_leads::store::imports;
use luci_schema::{ImportId, Micros, event::ObjectDigest};
use luci_storage::{PartPlan, StagedPart, Storage};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{check_open, expires_at, find, over};
use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reply,
    request::Request,
    routes::{
        HandlerResult,
        imports::new_upload::{SHA256, is_sha256},
    },
};

/// Parts of one request.
const MOST: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Part {
    number: u32,
    /// SHA-256 in hex.
    checksum: String,
}

impl Body {
    /// Number and digest of each part.
    fn digests(&self, plan: PartPlan) -> Result<Vec<(u32, ObjectDigest)>, Problem> {
        let mut errors: Vec<(String, String)> = Vec::new();
        if !(1..=MOST).contains(&self.parts.len()) {
            errors.push(("parts".into(), format!("1 to {MOST} parts, found {}", self.parts.len())));
        }
        let (mut digests, mut numbers) = (Vec::new(), HashSet::new());
        for (at, Part { number, checksum }) in self.parts.iter().enumerate() {
            let size_bytes = plan.size_of(*number);
            if size_bytes.is_none() {
                errors.push((format!("parts[{at}].number"), format!("1 to {}, found {number}", plan.count())));
            } else if !numbers.insert(*number) {
                errors.push((format!("parts[{at}].number"), format!("each part once, found {number} again")));
            }
            if !is_sha256(checksum) {
                errors.push((format!("parts[{at}].checksum"), SHA256.into()));
            }
            let digest = |size_bytes| ObjectDigest { size_bytes, checksum: checksum.to_ascii_lowercase() };
            digests.extend(size_bytes.map(|size_bytes| (*number, digest(size_bytes))));
        }
        if errors.is_empty() { Ok(digests) } else { Err(Problem::invalid_fields(errors)) }
    }
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let id: ImportId = request.id(0, "upload")?;
    let (import, upload) = find(&app, &caller, id).await?;
    let (body, _) = request.json::<Body>().await?;
    check_open(&import)?;
    let digests = body.digests(upload.plan)?;
    let announced: Vec<(u32, String)> =
        digests.iter().map(|(number, digest)| (*number, digest.checksum.clone())).collect();
    let mut c = app.engine_pool.acquire().await?;
    if !imports::announce_parts(&mut c, caller.tenant, id, &announced).await? {
        return Err(over().into());
    }
    drop(c);
    let left = expires_at(&import).0.saturating_sub(Micros::now().0);
    let valid = Storage::UPLOAD_VALID.min(Duration::from_micros(u64::try_from(left).unwrap_or(0)));
    let mut parts: Vec<Value> = Vec::new();
    for (number, digest) in digests {
        let size_bytes = digest.size_bytes;
        let part = StagedPart::new(caller.tenant, id, number, digest).map_err(|error| Problem::internal(&error))?;
        let signed = app.storage.part_url(&part, &import.content_type, valid).await?;
        let headers: Map<_, _> = signed.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
        parts.push(json!({"number": number, "sizeBytes": size_bytes, "url": signed.url, "method": signed.method,
            "headers": headers, "expiresAt": signed.expires_at.rfc3339()}));
    }
    Ok(reply::json(StatusCode::OK, &json!({"importId": id, "parts": parts})))
}
