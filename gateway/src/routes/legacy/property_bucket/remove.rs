//! `DELETE /api/property/bucket?id=…`: hides a bucket. Its sector and its leads stay.

use std::sync::Arc;

use luci_leads::{legacy::property_buckets, store::sectors::Sector};
use serde_json::{Value, json};

use super::{id_of, id_required};
use crate::{App, caller::Caller, idempotency, request::Request, routes::HandlerResult};

/// The size limit of the body, in bytes. It is not read.
const BODY_BYTES: u64 = 64 << 10;

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let body = request.bytes(BODY_BYTES).await?;
    let mut named = request.query.clone().into_bytes();
    named.extend_from_slice(&body);
    let digest = crate::request::body_digest(&named);
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let sector = id_of(&request)?.ok_or_else(id_required)?;
    let reply = |sector: &Sector| -> Value {
        idempotency::answered(json!({"success": true, "bucket": {"id": sector.id, "name": sector.name}}))
    };
    let receipt = |sector: &Sector| command.receipt(digest, &reply(sector));
    let mut tx = app.engine_pool.begin().await?;
    let (removed, position) =
        property_buckets::remove(&mut tx, caller.tenant, &app.log, sector, &command.by(&caller), receipt).await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&reply(&removed), position))
}
