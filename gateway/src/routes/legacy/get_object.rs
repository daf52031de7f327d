//! `GET /api/legacy/objects?key=…`: a presigned download of the object that a client of the older platform names.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::legacy::resolve::{ResolveError, Resolver};
use luci_storage::Storage;
use serde_json::json;

use super::bad_field;
use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let key = request.query("key").ok_or_else(|| bad_field("key", "the key of an object"))?;
    let resolver = Resolver { storage: &app.storage, tenant: caller.tenant, owner: app.options.legacy_tenant };
    let mut c = app.engine_pool.acquire().await?;
    let found = resolver.resolve(&mut c, &key).await.map_err(problem_of)?;
    drop(c);
    let found = found.ok_or_else(|| Problem::not_found("object").detail("There is no object with this key."))?;
    let name = key.rsplit('/').next().unwrap_or_default();
    let signed = app.storage.download_url(&found.object_path, name, Storage::DOWNLOAD_VALID).await?;
    let body = json!({"key": key, "objectPath": found.object_path, "foundIn": found.found_in.as_str(),
        "sizeBytes": found.size_bytes, "checksum": found.checksum, "url": signed.url, "method": signed.method,
        "expiresAt": signed.expires_at.rfc3339()});
    Ok(reply::json(StatusCode::OK, &body))
}

pub fn problem_of(error: ResolveError) -> Problem {
    match error {
        ResolveError::Key(error) => bad_field("key", error.to_string()),
        ResolveError::Storage(error) => error.into(),
        ResolveError::Database(error) => error.into(),
    }
}
