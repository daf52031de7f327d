//! `POST /api/imports/{importId}/layout`: reads a completed file another way, before a run takes it.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::{
    commands::new_leads,
    store::{
        import_mappings,
        imports::{self, Import, ImportStatus},
    },
};
use luci_schema::{ImportId, event::ObjectDigest};

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reply,
    request::Request,
    routes::{
        HandlerResult,
        imports::{
            get,
            read_options::{self, OptionsBody},
        },
    },
};

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let id: ImportId = request.id(0, "import")?;
    let (body, _) = request.json::<OptionsBody>().await?;
    let options = body.options()?;
    let import = find(&app, &caller, id).await?;
    if import.status != ImportStatus::Completed || import.content_type == new_leads::CONTENT_TYPE {
        return Err(conflict("Only a completed file can be read another way.").into());
    }
    let chosen = options.mapping.clone();
    let options = read_options::with_saved(&app, &caller, options).await?;
    let file = app.storage.verify_whole(&import.object_path, &digest(&import)?).await?;
    let counted = read_options::count(&app, &file, options).await?;
    let mut tx = app.engine_pool.begin().await?;
    if !imports::correct_layout(&mut tx, caller.tenant, id, &counted).await? {
        return Err(conflict("A run has taken the import as its input. Upload the file again.").into());
    }
    if body.save_mapping {
        import_mappings::save(&mut tx, caller.tenant, &chosen).await?;
    }
    tx.commit().await?;
    Ok(reply::json(StatusCode::OK, &get::view(&find(&app, &caller, id).await?)))
}

async fn find(app: &App, caller: &Caller, id: ImportId) -> Result<Import, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    imports::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("import"))
}

/// What was verified when the import was completed.
fn digest(import: &Import) -> Result<ObjectDigest, Problem> {
    match (import.size_bytes, import.checksum.clone()) {
        (Some(size_bytes), Some(checksum)) => Ok(ObjectDigest { size_bytes, checksum }),
        _ => Err(Problem::internal(&format_args!("import {} is completed without size and checksum", import.id))),
    }
}

fn conflict(detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "layout-fixed", "The import's layout cannot change").detail(detail)
}
