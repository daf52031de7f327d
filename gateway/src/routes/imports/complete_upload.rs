//! `POST /api/uploads/{importId}/complete`: takes an uploaded file, verifies, counts and records it.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::{
    read::{
        layout::ReadOptions,
        mapping::Choices,
        upload::{Counted, UploadError},
    },
    store::{
        import_mappings,
        imports::{self, Import, ImportError, ImportStatus},
    },
};
use luci_schema::{ImportId, Micros, object_key::ObjectKey};
use luci_storage::{StorageError, UploadExpected, UploadRefused};
use tokio::sync::Semaphore;

use crate::{
    App,
    caller::Caller,
    idempotency::Command,
    problem::{Problem, upload_code},
    reply,
    request::Request,
    routes::{
        HandlerResult,
        imports::{
            get,
            parts::parted,
            read_options::{self, CountError, OptionsBody},
            record::record,
        },
    },
};

/// The size limit of the body, in bytes. Only JSON is read.
const BODY_LIMIT: u64 = 256 << 10;

/// Uploads that are copied at once: each holds one of the gateway's few database connections as long as the store copies.
static COPIES: Semaphore = Semaphore::const_new(2);

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let id: ImportId = request.id(0, "import")?;
    let body = options_of(&mut request).await?;
    let options = body.options()?;
    let command = Command::identify(&caller, &request)?;
    let import = find(&app, &caller, id).await?;
    if import.status == ImportStatus::Pending {
        let chosen = options.mapping.clone();
        let options = read_options::with_saved(&app, &caller, options).await?;
        match verify(&app, &caller, &import, options).await {
            Ok((checksum, counted)) => {
                let mapping = body.save_mapping.then_some(&chosen);
                complete(&app, &caller, &command, (&import, checksum.as_str(), &counted), mapping).await?;
            }
            Err(UploadFailure::Ended) => {}
            Err(UploadFailure::Incomplete(problem)) => return Err(problem.into()),
            Err(UploadFailure::Rejected(error, problem)) => {
                if reject(&app, &caller, &import, &error).await? {
                    return Err(problem.into());
                }
            }
        }
    }
    // Possibly a concurrent call completed or rejected it; the response is the same.
    let import = find(&app, &caller, id).await?;
    match import.status {
        ImportStatus::Completed => Ok(reply::json(StatusCode::OK, &get::view(&import))),
        ImportStatus::Rejected => Err(rejected(&import).into()),
        ImportStatus::Pending => Err(Problem::unavailable("The upload is being completed.").into()),
    }
}

/// Records the import and its event, unless a concurrent call ended it.
async fn complete(
    app: &App,
    caller: &Caller,
    command: &Command,
    (import, checksum, counted): (&Import, &str, &Counted),
    mapping: Option<&Choices>,
) -> Result<(), Problem> {
    let mut tx = app.engine_pool.begin().await?;
    if !imports::complete(&mut tx, caller.tenant, import.id, checksum, counted, Micros::now()).await? {
        return Ok(());
    }
    record(app, &mut tx, caller, command, import, checksum, &counted.summary).await?;
    if let Some(mapping) = mapping {
        import_mappings::save(&mut tx, caller.tenant, mapping).await?;
    }
    tx.commit().await?;
    app.log.wake();
    remove_staged(app, caller, import).await;
    Ok(())
}

/// The options in a JSON body; any other body is ignored.
async fn options_of(request: &mut Request) -> Result<OptionsBody, Problem> {
    let json = request.header("content-type").is_some_and(|kind| kind.contains("json"));
    if json {
        return Ok(request.json_within::<OptionsBody>(BODY_LIMIT).await?.0);
    }
    request.bytes(BODY_LIMIT).await?;
    Ok(OptionsBody::default())
}

async fn find(app: &App, caller: &Caller, id: ImportId) -> Result<Import, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    imports::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("import"))
}

fn rejected(import: &Import) -> Problem {
    let error = import.error.as_ref();
    Problem::new(StatusCode::CONFLICT, "import-rejected", "The upload was rejected")
        .detail(error.map_or("The file differs from the announced one.", |error| &error.message))
        .with("code", error.map_or("rejected", |error| &error.code))
}

/// Why an upload did not become an import.
enum UploadFailure {
    /// Another call completed or rejected it.
    Ended,
    /// The call may be repeated.
    Incomplete(Problem),
    /// Final.
    Rejected(ImportError, Problem),
}

impl From<Problem> for UploadFailure {
    fn from(problem: Problem) -> Self {
        Self::Incomplete(problem)
    }
}

/// Takes the upload and verifies what was taken: size, type, checksum and rows are those of the object that runs read.
async fn verify(
    app: &App,
    caller: &Caller,
    import: &Import,
    options: ReadOptions,
) -> Result<(String, Counted), UploadFailure> {
    let mapped = !options.mapping.is_empty();
    let key: ObjectKey = import.object_path.parse().map_err(|error| Problem::internal(&error))?;
    let expected = UploadExpected {
        size_bytes: import.size_bytes,
        max_bytes: app.options.upload_limit,
        content_type: import.content_type.clone(),
        checksum: import.checksum.clone(),
    };
    if import.staged {
        take(app, caller, import, (&key, &expected)).await?;
    }
    let file = app.storage.verify_upload(&key, &expected).await.map_err(upload_failure)?;
    match read_options::count(app, &file, options).await {
        Ok(counted) => Ok((file.digest().checksum.clone(), counted)),
        Err(CountError::Store(error)) => Err(UploadFailure::Incomplete(error.into())),
        // Another mapping may be right: the file stays.
        Err(CountError::File(error @ UploadError::Mapping(_))) => Err(UploadFailure::Incomplete(Problem::from(&error))),
        Err(CountError::File(error @ UploadError::NoKnownColumn { .. })) if mapped => {
            Err(UploadFailure::Incomplete(Problem::from(&error)))
        }
        Err(CountError::File(error)) => Err(UploadFailure::Rejected(ImportError::from(&error), Problem::from(&error))),
    }
}

/// Copies the upload from its staging key, or joins its parts, once: later calls find the copy.
async fn take(
    app: &App,
    caller: &Caller,
    import: &Import,
    (key, expected): (&ObjectKey, &UploadExpected),
) -> Result<(), UploadFailure> {
    let _permit = COPIES.acquire().await.map_err(|error| Problem::internal(&error))?;
    let mut tx = app.engine_pool.begin().await.map_err(Problem::from)?;
    if !imports::lock_pending(&mut tx, caller.tenant, import.id).await.map_err(Problem::from)? {
        return Err(UploadFailure::Ended);
    }
    // Again, now that no other call changes it.
    let found = imports::get(&mut tx, caller.tenant, import.id).await.map_err(Problem::from)?;
    let taken = match parted(caller.tenant, found.as_ref().unwrap_or(import))? {
        Some(upload) => app.storage.join_parts(&upload, key, expected).await,
        None => app.storage.take_upload(&staging_key(import, caller), key, expected).await,
    };
    tx.rollback().await.map_err(Problem::from)?;
    taken.map_err(upload_failure)
}

/// A file that differs from the announced one is rejected; one that is missing may still arrive.
fn upload_failure(refused: UploadRefused) -> UploadFailure {
    let message = refused.to_string();
    let code = upload_code(&refused);
    let problem = Problem::from(refused);
    match code {
        Some(code) => UploadFailure::Rejected(ImportError { code: code.into(), message }, problem),
        None => UploadFailure::Incomplete(problem),
    }
}

/// Rejects the import and removes its objects; false when a concurrent call ended it, whose objects these are now.
async fn reject(app: &App, caller: &Caller, import: &Import, error: &ImportError) -> Result<bool, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    let rejected = imports::reject(&mut c, caller.tenant, import.id, error, Micros::now()).await?;
    drop(c);
    if rejected {
        remove_objects(app, caller, import).await;
    }
    Ok(rejected)
}

fn staging_key(import: &Import, caller: &Caller) -> ObjectKey {
    ObjectKey::staging(caller.tenant, import.id)
}

/// Removes all objects of an upload that was rejected.
pub async fn remove_objects(app: &App, caller: &Caller, import: &Import) {
    removed(app.storage.delete(&import.object_path).await, &import.object_path);
    remove_staged(app, caller, import).await;
}

async fn remove_staged(app: &App, caller: &Caller, import: &Import) {
    let staging = staging_key(import, caller).to_string();
    let result = match import.parts {
        Some(_) => app.storage.remove_parts(caller.tenant, import.id).await,
        None => app.storage.delete(&staging).await,
    };
    removed(result, &staging);
}

/// What cannot be removed now, the sweeper removes when the upload has expired.
fn removed(result: Result<(), StorageError>, object_path: &str) {
    if let Err(error) = result {
        tracing::warn!(%error, object = object_path, "object of an ended upload not removed");
    }
}
