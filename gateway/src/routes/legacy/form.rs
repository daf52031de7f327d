//! A form with a file (`multipart/form-data`): texts are kept, the file streams to the store and is counted on the way.

use std::{collections::BTreeMap, fmt};

use futures::StreamExt;
use luci_leads::{
    read::{layout::ReadOptions, upload::Counted},
    store::imports,
};
use luci_schema::{Hash, ImportId, Micros, object_key::ObjectKey};
use luci_storage::Written;
use multer::{Constraints, Field, Multipart, SizeLimit};
use sha2::{Digest, Sha256};
use warp::reply::Response;

use super::{bad_field, with_old_status};
use crate::{
    App,
    caller::Caller,
    problem::Problem,
    request::{BodyStream, Request},
    routes::{
        HandlerResult,
        imports::{
            create::{digest_of, store},
            csv_file::{file_name_error, import_key},
            read_options,
        },
    },
};

/// The longest text of a form, in bytes.
const TEXT_BYTES: u64 = 16 << 10;
/// What a body may have beside its file: texts, boundaries and headers.
const BESIDE_FILE: u64 = 1 << 20;
/// The field with the file.
const FILE: &str = "file";

/// A form that was read to its end.
pub struct Form {
    texts: BTreeMap<String, String>,
    file: FormFile,
}

/// What became of the file.
enum FormFile {
    Stored(Box<StoredFile>),
    /// Of a command that was executed before: SHA-256.
    Compared(Hash),
}

/// A counted file of the store that no import names yet.
pub struct StoredFile {
    pub import_id: ImportId,
    pub created_at: Micros,
    /// As the client named it.
    pub file_name: String,
    pub key: ObjectKey,
    pub written: Written,
    pub counted: Counted,
}

/// What is done with the file of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileUse {
    Store,
    /// Only its digest is wanted.
    Compare,
}

impl Form {
    /// A text, trimmed; `None` when it is missing or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// The digest of file and texts: the same form is the same command, whatever its boundary.
    pub fn digest(&self) -> Result<Hash, Problem> {
        let mut hash = Sha256::new();
        match &self.file {
            FormFile::Stored(file) => {
                hash.update(hex::decode(&file.written.checksum).map_err(|error| Problem::internal(&error))?);
            }
            FormFile::Compared(digest) => hash.update(digest),
        }
        for (name, text) in &self.texts {
            hash.update(format!("{name}\n{}\n{text}\n", text.len()));
        }
        Ok(hash.finalize().into())
    }

    /// The same answer. After a problem the stored file is deleted, unless an import names it.
    pub async fn kept_if_imported(
        &self,
        app: &App,
        caller: &Caller,
        answer: Result<Response, Problem>,
    ) -> HandlerResult {
        if let (Err(_), Some(file)) = (&answer, self.stored()) {
            let named = async {
                let mut c = app.engine_pool.acquire().await?;
                imports::get(&mut c, caller.tenant, file.import_id).await
            };
            // When nobody can say, the file stays.
            if let Ok(None) = named.await
                && let Err(error) = app.storage.delete(&file.key.to_string()).await
            {
                tracing::warn!(%error, object = %file.key, "object of a refused upload not removed");
            }
        }
        Ok(answer?)
    }

    pub fn stored(&self) -> Option<&StoredFile> {
        match &self.file {
            FormFile::Stored(file) => Some(file),
            FormFile::Compared(_) => None,
        }
    }
}

/// Reads the form of a request. Of its texts those in `names` are kept; others are ignored, as they were.
///
/// # Errors
/// 400 for a body that is no form, without a file, or with a file that is no CSV of leads; 413 for a file above the limit.
/// Nothing is left in the store then.
pub async fn read(
    app: &App,
    caller: &Caller,
    request: &mut Request,
    names: &[&str],
    file_use: FileUse,
) -> Result<Form, Problem> {
    let boundary = request.header("content-type").and_then(|kind| multer::parse_boundary(kind).ok());
    let boundary =
        boundary.ok_or_else(|| bad_field("body", "multipart/form-data with a boundary and a field `file`"))?;
    let body = request.stream(app.options.upload_limit.saturating_add(BESIDE_FILE))?;
    let texts = names.iter().fold(SizeLimit::new(), |limit, name| limit.for_field(*name, TEXT_BYTES));
    let constraints = Constraints::new().size_limit(texts);
    let form = Multipart::with_constraints(body.map(|chunk| chunk.map_err(BodyFault)), boundary, constraints);
    let mut reading = Reading { texts: BTreeMap::new(), file: None };
    let read = reading.fields(app, caller, form, names, file_use).await;
    match (read, reading.file) {
        (Ok(()), Some(file)) => Ok(Form { texts: reading.texts, file }),
        (Ok(()), None) => Err(bad_field(FILE, "a CSV file; there is none")),
        (Err(problem), file) => {
            if let Some(FormFile::Stored(file)) = file {
                app.storage.delete(&file.key.to_string()).await?;
            }
            Err(problem)
        }
    }
}

struct Reading {
    texts: BTreeMap<String, String>,
    file: Option<FormFile>,
}

impl Reading {
    async fn fields(
        &mut self,
        app: &App,
        caller: &Caller,
        mut form: Multipart<'static>,
        names: &[&str],
        file_use: FileUse,
    ) -> Result<(), Problem> {
        while let Some(mut field) = form.next_field().await.map_err(problem_of)? {
            let name = field.name().unwrap_or_default().to_owned();
            let repeated = bad_field(&name, "one value; the form has several");
            if name == FILE {
                if self.file.is_some() {
                    return Err(repeated);
                }
                self.file = Some(file_of(app, caller, field, file_use).await?);
            } else if names.contains(&name.as_str()) {
                let text = field.text().await.map_err(problem_of)?;
                if text.contains('\0') {
                    return Err(bad_field(&name, "a text without a NUL character (U+0000)"));
                }
                if self.texts.insert(name, text).is_some() {
                    return Err(repeated);
                }
            } else {
                while field.chunk().await.map_err(problem_of)?.is_some() {}
            }
        }
        Ok(())
    }
}

async fn file_of(app: &App, caller: &Caller, field: Field<'static>, file_use: FileUse) -> Result<FormFile, Problem> {
    let Some(file_name) = field.file_name().map(str::to_owned) else {
        return Err(bad_field(FILE, "a file; found a text"));
    };
    if let Some((_, expected)) = file_name_error(&file_name) {
        return Err(bad_field(FILE, format!("a file with a name of {expected}")));
    }
    let bytes = limited(field, app.options.upload_limit);
    if file_use == FileUse::Compare {
        return Ok(FormFile::Compared(digest_of(bytes).await?));
    }
    let options = read_options::with_saved(app, caller, ReadOptions::default()).await?;
    let (import_id, created_at) = (ImportId::generate(), Micros::now());
    let key = import_key(caller.tenant, import_id, &file_name, created_at);
    let stored = store(app, bytes, app.storage.writer(&key, "text/csv"), options).await;
    let (written, counted) = stored.map_err(with_old_status)?;
    Ok(FormFile::Stored(Box::new(StoredFile { import_id, created_at, file_name, key, written, counted })))
}

/// The bytes of a file; 413 beyond the limit.
fn limited(field: Field<'static>, limit: u64) -> BodyStream {
    let mut size = 0;
    field
        .map(move |chunk| {
            let chunk = chunk.map_err(problem_of)?;
            size += chunk.len() as u64;
            if size > limit { Err(Problem::too_large(limit)) } else { Ok(chunk) }
        })
        .boxed()
}

/// A problem of the body itself, on its way through the parser of forms.
#[derive(Debug)]
struct BodyFault(Problem);

impl std::error::Error for BodyFault {}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body cannot be read")
    }
}

fn problem_of(error: multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<BodyFault>() {
            Ok(fault) => fault.0,
            Err(other) => Problem::internal(&other),
        },
        multer::Error::FieldSizeExceeded { limit, field_name } => {
            bad_field(field_name.as_deref().unwrap_or("body"), format!("at most {limit} bytes"))
        }
        error => bad_field("body", format!("multipart/form-data to its last boundary: {error}")),
    }
}
