//! `POST /api/uploads`: announces an upload and answers with a presigned URL for it.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::imports;
use luci_schema::object_key::ObjectKey;
use luci_storage::Storage;
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reply,
    request::Request,
    routes::{HandlerResult, imports::new_upload::NewUpload},
};

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (mut body, _) = request.json::<NewUpload>().await?;
    let errors = body.errors(app.options.upload_limit);
    if !errors.is_empty() {
        return Err(Problem::invalid_fields(errors).into());
    }
    let size_bytes = body.size_bytes;
    let new = body.into_import(&caller);
    let staging = ObjectKey::staging(caller.tenant, new.id);
    let signed = app.storage.upload_url(&staging, &new.content_type, size_bytes, Storage::UPLOAD_VALID).await?;
    let mut c = app.engine_pool.acquire().await?;
    imports::begin(&mut c, caller.tenant, &new).await?;
    let headers: serde_json::Map<_, _> = signed.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    let body = json!({"importId": new.id, "url": signed.url, "method": signed.method, "headers": headers,
        "key": new.object_path, "expiresAt": signed.expires_at.rfc3339()});
    Ok(reply::json(StatusCode::CREATED, &body))
}
