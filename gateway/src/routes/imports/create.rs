//! `POST /api/imports?fileName=…`: takes a CSV as the body and counts it while it streams to the store.

use std::sync::Arc;

use futures::StreamExt;
use http::StatusCode;
use luci_leads::{
    read::{
        layout::ReadOptions,
        upload::{Counted, Counter},
    },
    store::imports::{self, Import, NewImport},
};
use luci_schema::{Hash, ImportId, Micros, Position};
use luci_storage::Written;

use crate::{
    App,
    caller::Caller,
    idempotency::Command,
    problem::Problem,
    request::{BodyStream, Request},
    routes::{
        HandlerResult,
        imports::{
            csv_file::{file_name_error, import_key, is_csv, limits},
            read_options,
            record::{answer, digest, outcome, record, replay},
        },
    },
};

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let content_type = request.header("content-type").unwrap_or_default().to_owned();
    if !is_csv(&content_type) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "CSV required")
            .detail("Send the file as the body with `Content-Type: text/csv`.")
            .into());
    }
    let file_name = request.query("fileName").unwrap_or_else(|| "upload.csv".into());
    if let Some(error) = file_name_error(&file_name) {
        return Err(Problem::invalid_fields(vec![error]).into());
    }
    let options = read_options::of_query(&request)?;
    let command = Command::identify(&caller, &request)?;
    let receipt = command.find_receipt(&app, &caller).await?;
    let body = request.stream(app.options.upload_limit)?;
    if let Some(receipt) = receipt {
        return Ok(replay(&app, &caller, &receipt, digest_of(body).await?).await?);
    }
    let options = read_options::with_saved(&app, &caller, options).await?;
    let (id, created_at) = (ImportId::generate(), Micros::now());
    let key = import_key(caller.tenant, id, &file_name, created_at);
    let (written, counted) = store(&app, body, app.storage.writer(&key, "text/csv"), options).await?;
    let new = NewImport {
        id,
        file_name,
        object_path: key.to_string(),
        staged: false,
        content_type: "text/csv".into(),
        size_bytes: None,
        checksum: None,
        created_by: caller.author().to_string(),
        created_at,
    };
    match ingest(&app, &caller, &command, &new, &written.checksum, &counted).await {
        Ok((import, position)) => Ok(answer(&app, &caller, &outcome(&import, &counted.summary), position).await?),
        Err(problem) => {
            delete_file(&app, &caller, &new).await?;
            // If a concurrent call executed the same command, its response is repeated.
            let receipt = command.find_receipt(&app, &caller).await?.ok_or(problem)?;
            Ok(replay(&app, &caller, &receipt, digest(&written.checksum)?).await?)
        }
    }
}

/// Inserts the completed import and appends its event in one transaction.
async fn ingest(
    app: &App,
    caller: &Caller,
    command: &Command,
    new: &NewImport,
    checksum: &str,
    counted: &Counted,
) -> Result<(Import, Position), Problem> {
    let mut tx = app.engine_pool.begin().await?;
    imports::begin(&mut tx, caller.tenant, new).await?;
    imports::complete(&mut tx, caller.tenant, new.id, checksum, counted, Micros::now()).await?;
    let import = imports::get(&mut tx, caller.tenant, new.id).await?.ok_or_else(|| Problem::not_found("import"))?;
    let position = record(app, &mut tx, caller, command, &import, checksum, &counted.summary).await?;
    tx.commit().await?;
    app.log.wake();
    Ok((import, position))
}

/// Deletes the file unless the import exists: a commit may have succeeded although its result was lost.
pub async fn delete_file(app: &App, caller: &Caller, new: &NewImport) -> Result<(), Problem> {
    let mut c = app.engine_pool.acquire().await?;
    if imports::get(&mut c, caller.tenant, new.id).await?.is_none() {
        app.storage.delete(&new.object_path).await?;
    }
    Ok(())
}

/// Stores the file and counts it in one pass. A file that is not a CSV is not stored.
pub async fn store(
    app: &App,
    mut body: BodyStream,
    mut writer: luci_storage::ObjectWriter,
    options: ReadOptions,
) -> Result<(Written, Counted), Problem> {
    let mut counter = Counter::new(limits(app), options);
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        counter.push(&chunk).map_err(|error| Problem::from(&error))?;
        writer.write(&chunk).await?;
    }
    let counted = counter.finish().map_err(|error| Problem::from(&error))?;
    Ok((writer.finish().await?, counted))
}

/// The SHA-256 of a body that is not stored.
pub async fn digest_of(mut body: BodyStream) -> Result<Hash, Problem> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    while let Some(chunk) = body.next().await {
        hash.update(&chunk?);
    }
    Ok(hash.finalize().into())
}
