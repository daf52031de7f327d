//! /api/imports: uploaded files, listed; and a CSV taken in one call, counted while it streams to the store.

use std::sync::Arc;

use futures::StreamExt;
use http::StatusCode;
use luci_engine::{
    admin::change::{Change, record as append},
    book::imports::{self, Import, NewImport, Status},
    lead::upload::{Counter, ImportSummary},
    storage::Written,
};
use luci_schema::{ConfigEvent, Hash, ImportId, Micros, Position, event::ImportCompleted};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    Answer,
    uploads::{bad_file_name, import_key, is_csv, limits, not_csv},
};
use crate::{
    App,
    ask::{Ask, BodyStream},
    caller::Caller,
    idempotency::{Command, accepted, answer},
    problem::Problem,
    serve,
};

/// An import as the API shows it.
pub fn shape(import: &Import) -> Value {
    json!({"importId": import.id, "fileName": import.file_name, "status": import.status,
        "key": import.object_path, "contentType": import.content_type, "sizeBytes": import.size_bytes,
        "checksum": import.checksum, "rows": import.rows, "summary": import.summary, "error": import.error,
        "createdBy": import.created_by, "createdAt": import.created_at.rfc3339(),
        "completedAt": import.completed_at.map(Micros::rfc3339)})
}

pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let limit = ask.limit(50, 200)?;
    let before = ask.query_as::<ImportId>("cursor")?;
    let mut c = app.engine_pool.acquire().await?;
    let mut found = imports::list(&mut c, caller.tenant, before, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|import| import.id);
    let shown: Vec<Value> = found.iter().map(shape).collect();
    Ok(serve::json(StatusCode::OK, &json!({"imports": shown, "hasMore": more, "nextCursor": next})))
}

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let id: ImportId = ask.id(0, "import")?;
    let mut c = app.engine_pool.acquire().await?;
    let import = imports::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("import"))?;
    Ok(serve::json(StatusCode::OK, &shape(&import)))
}

/// POST /api/imports?fileName=…: the body is the CSV.
pub async fn create(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let content_type = ask.header("content-type").unwrap_or_default().to_owned();
    if !is_csv(&content_type) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "A CSV is needed")
            .detail("Send the file as the body with `Content-Type: text/csv`."));
    }
    let file_name = ask.query("fileName").unwrap_or_else(|| "upload.csv".into());
    if let Some(wrong) = bad_file_name(&file_name) {
        return Err(Problem::fields(vec![wrong]));
    }
    let command = Command::name(&caller, &ask)?;
    let done = command.done(&app, &caller).await?;
    let body = ask.stream(app.options.upload_limit)?;
    if let Some(receipt) = done {
        return answer(&receipt, digest_of(body).await?);
    }
    let (id, created_at) = (ImportId::generate(), Micros::now());
    let key = import_key(caller.tenant, id, &file_name, created_at);
    let (written, summary) = take(&app, body, app.storage.writer(&key, "text/csv")).await?;
    let new = NewImport {
        id,
        file_name,
        object_path: key.to_string(),
        content_type: "text/csv".into(),
        size_bytes: None,
        checksum: None,
        created_by: caller.author().to_string(),
        created_at,
    };
    match enter(&app, &caller, &command, &new, &written.checksum, &summary).await {
        Ok((import, position)) => Ok(accepted(&outcome(&import, &summary), position)),
        Err(problem) => {
            forget(&app, &caller, &new).await?;
            // The same command was carried out meanwhile: its answer is ours.
            let first = command.done(&app, &caller).await?.ok_or(problem)?;
            answer(&first, digest(&written.checksum)?)
        }
    }
}

async fn enter(
    app: &App,
    caller: &Caller,
    command: &Command,
    new: &NewImport,
    checksum: &str,
    summary: &ImportSummary,
) -> Result<(Import, Position), Problem> {
    let mut tx = app.engine_pool.begin().await?;
    imports::begin(&mut tx, caller.tenant, new).await?;
    imports::complete(&mut tx, caller.tenant, new.id, checksum, summary, Micros::now()).await?;
    let import = imports::get(&mut tx, caller.tenant, new.id).await?.ok_or_else(|| Problem::not_found("import"))?;
    let position = record(app, &mut tx, caller, command, &import, checksum, summary).await?;
    tx.commit().await?;
    app.log.wake();
    Ok((import, position))
}

/// Deletes the file of an import that did not come to be. (A commit whose answer was lost may have been one.)
async fn forget(app: &App, caller: &Caller, new: &NewImport) -> Result<(), Problem> {
    let mut c = app.engine_pool.acquire().await?;
    if imports::get(&mut c, caller.tenant, new.id).await?.is_none() {
        app.storage.delete(&new.object_path).await?;
    }
    Ok(())
}

/// Stores the file and counts it in one pass. A file that is no CSV leaves nothing behind.
async fn take(
    app: &App,
    mut body: BodyStream,
    mut writer: luci_engine::storage::ObjectWriter,
) -> Result<(Written, ImportSummary), Problem> {
    let mut counter = Counter::new(limits(app));
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        counter.push(&chunk).map_err(|error| not_csv(&error))?;
        writer.write(&chunk).await?;
    }
    let summary = counter.finish().map_err(|error| not_csv(&error))?;
    Ok((writer.finish().await?, summary))
}

async fn digest_of(mut body: BodyStream) -> Result<Hash, Problem> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    while let Some(chunk) = body.next().await {
        hash.update(&chunk?);
    }
    Ok(hash.finalize().into())
}

fn digest(checksum: &str) -> Result<Hash, Problem> {
    let mut digest: Hash = [0; 32];
    hex::decode_to_slice(checksum, &mut digest).map_err(|error| Problem::internal(&error))?;
    Ok(digest)
}

fn outcome(import: &Import, summary: &ImportSummary) -> Value {
    json!({"httpStatus": 201, "importId": import.id, "fileName": import.file_name, "status": Status::Completed,
        "key": import.object_path, "rows": summary.rows, "sizeBytes": summary.size_bytes,
        "checksum": import.checksum, "summary": summary})
}

/// Appends `import:completed` in the transaction of its row. The checksum of the file is the digest of the command's body.
pub async fn record(
    app: &App,
    c: &mut PgConnection,
    caller: &Caller,
    command: &Command,
    import: &Import,
    checksum: &str,
    summary: &ImportSummary,
) -> Result<Position, Problem> {
    let completed = ImportCompleted {
        import_id: import.id,
        object_path: import.object_path.clone(),
        size_bytes: summary.size_bytes,
        checksum: checksum.into(),
        rows: summary.rows,
    };
    let digest = digest(checksum)?;
    let change = Change::first(import.id, vec![ConfigEvent::ImportCompleted(Box::new(completed)).into()])
        .remembered(command.receipt(digest, &outcome(import, summary)));
    Ok(append(&app.log, c, caller.tenant, change, &command.by(caller)).await?)
}
