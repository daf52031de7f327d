//! `GET /api/uploads/{importId}`: which parts of an upload have arrived.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::imports::ImportStatus;
use luci_schema::ImportId;
use serde_json::{Value, json};

use super::{find, view};
use crate::{App, caller::Caller, reply, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: ImportId = request.id(0, "upload")?;
    let (import, upload) = find(&app, &caller, id).await?;
    let mut body = view(&import, upload.plan);
    // Of an upload that has ended no part is left, and none is missing.
    let (arrived, missing) = if import.status == ImportStatus::Pending {
        let arrived = app.storage.arrived_parts(&upload).await?;
        let missing = upload.missing(&arrived);
        (arrived, missing)
    } else {
        (Vec::new(), Vec::new())
    };
    body["receivedBytes"] = match import.status {
        ImportStatus::Completed => json!(import.size_bytes),
        ImportStatus::Pending | ImportStatus::Rejected => {
            arrived.iter().map(|part| part.digest.size_bytes).sum::<u64>().into()
        }
    };
    let parts: Vec<Value> = arrived
        .iter()
        .map(|part| {
            json!({"number": part.number, "sizeBytes": part.digest.size_bytes, "checksum": part.digest.checksum,
                "arrivedAt": part.at.rfc3339()})
        })
        .collect();
    body["parts"] = parts.into();
    body["missing"] = missing.into();
    Ok(reply::json(StatusCode::OK, &body))
}
