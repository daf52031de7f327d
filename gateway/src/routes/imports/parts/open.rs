//! `GET /api/uploads`: uploads in parts that can be continued, newest first.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::{
    imports::{self, OpenUpload},
    old_uploads::PARTS_KEPT_MS,
};
use luci_schema::Micros;
use serde_json::{Value, json};

use super::{parted, view};
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

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let limit = request.limit(50, 200)?;
    let checksum = request.query("checksum");
    if checksum.as_ref().is_some_and(|checksum| !is_sha256(checksum)) {
        return Err(Problem::invalid("checksum", SHA256).into());
    }
    let wanted = OpenUpload {
        file_name: request.query("fileName"),
        size_bytes: request.query_as("sizeBytes")?,
        checksum: checksum.map(|checksum| checksum.to_ascii_lowercase()),
    };
    let after = Micros::now().plus_millis(-PARTS_KEPT_MS);
    let mut c = app.engine_pool.acquire().await?;
    let found = imports::open_uploads(&mut c, caller.tenant, &wanted, after, limit).await?;
    drop(c);
    let mut uploads: Vec<Value> = Vec::new();
    for import in &found {
        uploads.extend(parted(caller.tenant, import)?.map(|upload| view(import, upload.plan)));
    }
    Ok(reply::json(StatusCode::OK, &json!({"uploads": uploads})))
}
