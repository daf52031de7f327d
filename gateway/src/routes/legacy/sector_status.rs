//! `GET /api/buckets/sectors/upload?bucketId=…`: the status of a bucket, or with `uploadId` that of one file.

use std::sync::Arc;

use http::StatusCode;

use super::{bucket_status, sector_of};
use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let (bucket, sic) = (request.query("bucketId"), request.query("sicCode"));
    let mut c = app.engine_pool.acquire().await?;
    let sector = sector_of::find(&mut c, &caller, (bucket.as_deref(), sic.as_deref())).await?;
    drop(c);
    let mut status = bucket_status::view(&app, &caller, &sector).await?;
    if let Some(upload) = request.query("uploadId") {
        let files = status["files"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let named: Vec<_> = files.into_iter().filter(|file| file["uploadId"] == upload.as_str()).collect();
        if named.is_empty() {
            return Err(Problem::not_found("upload").into());
        }
        status["files"] = named.into();
    }
    Ok(reply::json(StatusCode::OK, &status))
}
