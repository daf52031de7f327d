//! POST /api/uploads: an address to put a CSV to; …/{importId}/complete: what arrived is verified, counted and recorded.

use std::sync::Arc;

use futures::StreamExt;
use http::StatusCode;
use luci_engine::{
    book::imports::{self, Import, ImportError, NewImport, Status},
    lead::{
        csv_row::Limits,
        upload::{ImportSummary, UploadError, count_rows},
    },
    storage::{Storage, UploadExpected, UploadRefused},
};
use luci_schema::{
    ImportId, Micros, TenantId,
    object_key::{Day, FileName, ObjectKey, Place},
};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, imports::record};
use crate::{App, ask::Ask, caller::Caller, idempotency::Command, problem::Problem, serve};

/// What a CSV may call itself.
const TYPES: &[&str] = &["text/csv", "application/csv", "text/plain", "application/vnd.ms-excel"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UploadBody {
    file_name: String,
    size_bytes: u64,
    content_type: String,
    /// SHA-256 in hex.
    checksum: Option<String>,
}

impl UploadBody {
    fn check(&self, limit: u64) -> Result<(), Problem> {
        let mut errors: Vec<(String, String)> = Vec::new();
        errors.extend(bad_file_name(&self.file_name));
        if !(1..=limit).contains(&self.size_bytes) {
            errors.push(("sizeBytes".into(), format!("1 to {limit} bytes, found {}", self.size_bytes)));
        }
        if !is_csv(&self.content_type) {
            errors.push(("contentType".into(), format!("one of {}", TYPES.join(", "))));
        }
        let hex = |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if self.checksum.as_ref().is_some_and(|checksum| !hex(checksum)) {
            errors.push(("checksum".into(), "SHA-256 in hex, 64 characters".into()));
        }
        if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
    }
}

/// What is wrong with the name of an uploaded file.
pub fn bad_file_name(name: &str) -> Option<(String, String)> {
    (!(1..=255).contains(&name.chars().count())).then(|| ("fileName".into(), "1 to 255 characters".into()))
}

/// Whether a content type is one that a CSV may have; parameters (`; charset=…`) do not matter.
pub fn is_csv(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known))
}

/// The key of an uploaded file; its name is made to fit.
pub fn import_key(tenant: TenantId, import_id: ImportId, file_name: &str, at: Micros) -> ObjectKey {
    ObjectKey::new(tenant, Place::Import { day: Day::of(at), import_id, file: FileName::sanitise(file_name) })
}

pub async fn announce(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, _) = ask.json::<UploadBody>().await?;
    body.check(app.options.upload_limit)?;
    let (id, created_at) = (ImportId::generate(), Micros::now());
    let key = import_key(caller.tenant, id, &body.file_name, created_at);
    let signed = app.storage.upload_url(&key, &body.content_type, body.size_bytes, Storage::UPLOAD_VALID).await?;
    let new = NewImport {
        id,
        file_name: body.file_name,
        object_path: key.to_string(),
        content_type: body.content_type,
        size_bytes: Some(body.size_bytes),
        checksum: body.checksum.map(|checksum| checksum.to_ascii_lowercase()),
        created_by: caller.author().to_string(),
        created_at,
    };
    let mut c = app.engine_pool.acquire().await?;
    imports::begin(&mut c, caller.tenant, &new).await?;
    let headers: serde_json::Map<_, _> = signed.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    let body = json!({"importId": id, "url": signed.url, "method": signed.method, "headers": headers,
        "key": new.object_path, "expiresAt": signed.expires_at.rfc3339()});
    Ok(serve::json(StatusCode::CREATED, &body))
}

pub async fn complete(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let id: ImportId = ask.id(0, "import")?;
    ask.bytes(64 << 10).await?;
    let command = Command::name(&caller, &ask)?;
    let import = find(&app, &caller, id).await?;
    match import.status {
        Status::Completed => return Ok(serve::json(StatusCode::OK, &super::imports::shape(&import))),
        Status::Rejected => return Err(rejected(&import)),
        Status::Pending => {}
    }
    let (checksum, summary) = match verify(&app, &import).await {
        Ok(found) => found,
        Err(Verdict::NotYet(problem)) => return Err(problem),
        Err(Verdict::Refused(error, problem)) => {
            refuse(&app, &caller, &import, &error).await?;
            return Err(problem);
        }
    };
    let mut tx = app.engine_pool.begin().await?;
    let now = Micros::now();
    if imports::complete(&mut tx, caller.tenant, id, &checksum, &summary, now).await? {
        record(&app, &mut tx, &caller, &command, &import, &checksum, &summary).await?;
        tx.commit().await?;
        app.log.wake();
    }
    // Else another call completed it at the same moment: its answer is ours.
    let import = find(&app, &caller, id).await?;
    Ok(serve::json(StatusCode::OK, &super::imports::shape(&import)))
}

async fn find(app: &App, caller: &Caller, id: ImportId) -> Result<Import, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    imports::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("import"))
}

fn rejected(import: &Import) -> Problem {
    let error = import.error.as_ref();
    Problem::new(StatusCode::CONFLICT, "import-rejected", "The upload was refused")
        .detail(error.map_or("It differs from what was announced.", |error| &error.message))
        .with("code", error.map_or("rejected", |error| &error.code))
}

/// Why an upload is not an import: it may still become one, or it never will.
enum Verdict {
    NotYet(Problem),
    Refused(ImportError, Problem),
}

impl From<Problem> for Verdict {
    fn from(problem: Problem) -> Self {
        Self::NotYet(problem)
    }
}

async fn verify(app: &App, import: &Import) -> Result<(String, ImportSummary), Verdict> {
    let key: ObjectKey = import.object_path.parse().map_err(|error| Problem::internal(&error))?;
    let expected = UploadExpected {
        size_bytes: import.size_bytes,
        max_bytes: app.options.upload_limit,
        content_type: import.content_type.clone(),
        checksum: import.checksum.clone(),
    };
    let written = app.storage.complete_upload(&key, &expected).await.map_err(differs)?;
    let bytes = app.storage.read_from(&import.object_path, 0);
    match count_rows(bytes.boxed(), limits(app)).await {
        Ok(summary) => Ok((written.checksum, summary)),
        Err(error) => {
            app.storage.delete(&import.object_path).await.map_err(Problem::from)?;
            Err(Verdict::Refused(ImportError::from(&error), not_csv(&error)))
        }
    }
}

fn differs(refused: UploadRefused) -> Verdict {
    let said = refused.to_string();
    let code = match refused {
        UploadRefused::Missing => {
            return Verdict::NotYet(
                Problem::new(StatusCode::CONFLICT, "not-uploaded", "Nothing was uploaded yet").detail(said),
            );
        }
        UploadRefused::Store(error) => return Verdict::NotYet(error.into()),
        UploadRefused::TooLarge { .. } => "too_large",
        UploadRefused::Size { .. } => "size_differs",
        UploadRefused::ContentType { .. } => "content_type_differs",
        UploadRefused::Checksum { .. } => "checksum_differs",
    };
    let problem = Problem::invalid("file", said.clone()).with("code", code);
    Verdict::Refused(ImportError { code: code.into(), message: said }, problem)
}

/// How much a CSV may hold here.
pub fn limits(app: &App) -> Limits {
    let usual = Limits::default();
    // As many rows as fit: the run's own `maxLeads` is the limit that is asked for by name.
    Limits { bytes: app.options.upload_limit, rows: usual.rows.max(app.options.upload_limit / 16), ..usual }
}

/// The file is no CSV that can be taken; the line is named where one is to blame.
pub fn not_csv(error: &UploadError) -> Problem {
    let problem = Problem::invalid("file", error.to_string()).with("code", error.code());
    match error {
        UploadError::TooLong(cell) => problem.with("line", cell.line).with("column", cell.column),
        UploadError::Empty
        | UploadError::NoKnownColumn
        | UploadError::TooManyColumns { .. }
        | UploadError::Binary { .. } => problem.with("line", 1),
        _ => problem,
    }
}

async fn refuse(app: &App, caller: &Caller, import: &Import, error: &ImportError) -> Result<(), Problem> {
    let mut c = app.engine_pool.acquire().await?;
    imports::reject(&mut c, caller.tenant, import.id, error, Micros::now()).await?;
    Ok(())
}
