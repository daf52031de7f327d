//! `DELETE /api/uploads/{importId}`: ends an upload that is not wanted any more, and removes what has arrived of it.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::imports::{self, ImportError, ImportStatus};
use luci_schema::{ImportId, Micros};

use super::over;
use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reply,
    request::Request,
    routes::{
        HandlerResult,
        imports::{complete_upload::remove_objects, get},
    },
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let id: ImportId = request.id(0, "upload")?;
    let aborted = ImportError { code: "aborted".into(), message: "the upload was aborted".into() };
    let mut c = app.engine_pool.acquire().await?;
    let ended_here = imports::reject(&mut c, caller.tenant, id, &aborted, Micros::now()).await?;
    let import = imports::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("upload"))?;
    drop(c);
    if import.status != ImportStatus::Rejected {
        return Err(over().into());
    }
    if ended_here {
        remove_objects(&app, &caller, &import).await;
    }
    Ok(reply::json(StatusCode::OK, &get::view(&import)))
}
