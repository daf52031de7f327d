//! `GET /api/property/bucket`: the buckets of the tenant, or with `id` one of them.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::{property_buckets, sectors};
use serde_json::json;

use super::{counts, id_of, view};
use crate::{App, caller::Caller, problem::Problem, reply, request::Request, routes::HandlerResult};

/// Buckets in a list at most.
const LISTED: u32 = 200;

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id = id_of(&request)?;
    let mut c = app.engine_pool.acquire().await?;
    let mut views = Vec::new();
    for bucket in property_buckets::list(&mut c, caller.tenant, id, LISTED).await? {
        if let Some(sector) = sectors::get(&mut c, caller.tenant, &bucket.sector_id.to_string()).await? {
            views.push(view(&sector, &bucket, &counts(&mut c, caller.tenant, sector.id).await?));
        }
    }
    match (id, views.as_slice()) {
        (None, _) => Ok(reply::json(StatusCode::OK, &json!({"success": true, "buckets": views}))),
        (Some(_), [bucket]) => Ok(reply::json(StatusCode::OK, &json!({"success": true, "bucket": bucket}))),
        (Some(_), _) => Err(Problem::not_found("property bucket").into()),
    }
}
