//! `POST /api/uploads/{importId}/complete`: verifies, counts and records an uploaded file.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::{
    read::{
        layout::ReadOptions,
        upload::{Counted, UploadError},
    },
    store::{
        import_mappings,
        imports::{self, Import, ImportError, ImportStatus},
    },
};
use luci_schema::{ImportId, Micros, object_key::ObjectKey};
use luci_storage::{UploadExpected, UploadRefused};

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
            read_options::{self, OptionsBody},
            record::record,
        },
    },
};

/// The size limit of the body, in bytes. Only JSON is read.
const BODY_LIMIT: u64 = 256 << 10;

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let id: ImportId = request.id(0, "import")?;
    let body = options_of(&mut request).await?;
    let options = body.options()?;
    let command = Command::identify(&caller, &request)?;
    let import = find(&app, &caller, id).await?;
    match import.status {
        ImportStatus::Completed => return Ok(reply::json(StatusCode::OK, &get::view(&import))),
        ImportStatus::Rejected => return Err(rejected(&import).into()),
        ImportStatus::Pending => {}
    }
    let chosen = options.mapping.clone();
    let options = read_options::with_saved(&app, &caller, options).await?;
    let (checksum, counted) = match verify(&app, &import, options).await {
        Ok(found) => found,
        Err(UploadFailure::Incomplete(problem)) => return Err(problem.into()),
        Err(UploadFailure::Rejected(error, problem)) => {
            reject(&app, &caller, &import, &error).await?;
            return Err(problem.into());
        }
    };
    let mut tx = app.engine_pool.begin().await?;
    let now = Micros::now();
    if imports::complete(&mut tx, caller.tenant, id, &checksum, &counted, now).await? {
        record(&app, &mut tx, &caller, &command, &import, &checksum, &counted.summary).await?;
        if body.save_mapping {
            import_mappings::save(&mut tx, caller.tenant, &chosen).await?;
        }
        tx.commit().await?;
        app.log.wake();
    }
    // Otherwise a concurrent call completed it; the response is the same.
    let import = find(&app, &caller, id).await?;
    Ok(reply::json(StatusCode::OK, &get::view(&import)))
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

async fn verify(app: &App, import: &Import, options: ReadOptions) -> Result<(String, Counted), UploadFailure> {
    let mapped = !options.mapping.is_empty();
    let key: ObjectKey = import.object_path.parse().map_err(|error| Problem::internal(&error))?;
    let expected = UploadExpected {
        size_bytes: import.size_bytes,
        max_bytes: app.options.upload_limit,
        content_type: import.content_type.clone(),
        checksum: import.checksum.clone(),
    };
    let written = app.storage.complete_upload(&key, &expected).await.map_err(upload_failure)?;
    match read_options::count(app, import, options).await {
        Ok(counted) => Ok((written.checksum, counted)),
        // Another mapping may be right: the file stays.
        Err(error @ UploadError::Mapping(_)) => Err(UploadFailure::Incomplete(Problem::from(&error))),
        Err(error @ UploadError::NoKnownColumn { .. }) if mapped => {
            Err(UploadFailure::Incomplete(Problem::from(&error)))
        }
        Err(error) => {
            app.storage.delete(&import.object_path).await.map_err(Problem::from)?;
            Err(UploadFailure::Rejected(ImportError::from(&error), Problem::from(&error)))
        }
    }
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

async fn reject(app: &App, caller: &Caller, import: &Import, error: &ImportError) -> Result<(), Problem> {
    let mut c = app.engine_pool.acquire().await?;
    imports::reject(&mut c, caller.tenant, import.id, error, Micros::now()).await?;
    Ok(())
}
