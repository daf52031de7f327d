//! What a caller says about a file: encoding, delimiter, header and mapping, in the query or in a JSON body.

use std::sync::Arc;

use luci_leads::{
    read::{
        layout::ReadOptions,
        upload::{Counted, UploadError, count_rows},
    },
    store::import_mappings,
};
use luci_storage::{StorageError, VerifiedObject};
use serde::Deserialize;
use serde_json::Value;

use crate::{App, caller::Caller, problem::Problem, request::Request, routes::imports::csv_file::limits};

/// Options in a JSON body.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OptionsBody {
    encoding: Option<String>,
    delimiter: Option<String>,
    /// `auto`, `none` or the line of the header.
    header: Option<Value>,
    mapping: Option<Value>,
    /// Whether the mapping is used for later files of the tenant too.
    pub save_mapping: bool,
}

impl OptionsBody {
    pub fn options(&self) -> Result<ReadOptions, Problem> {
        let header = self.header.as_ref().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let (encoding, delimiter) = (self.encoding.as_deref(), self.delimiter.as_deref());
        ReadOptions::parse(encoding, delimiter, header.as_deref(), self.mapping.as_ref())
            .map_err(Problem::invalid_fields)
    }
}

/// Options in the query; `mapping` is JSON.
pub fn of_query(request: &Request) -> Result<ReadOptions, Problem> {
    let mapping = request.query("mapping").map(|text| serde_json::from_str::<Value>(&text)).transpose();
    let mapping = mapping.map_err(|_| Problem::invalid("mapping", "JSON: an object, header to field"))?;
    let text = |name| request.query(name);
    let (encoding, delimiter, header) = (text("encoding"), text("delimiter"), text("header"));
    ReadOptions::parse(encoding.as_deref(), delimiter.as_deref(), header.as_deref(), mapping.as_ref())
        .map_err(Problem::invalid_fields)
}

/// The options with the tenant's own mapping.
pub async fn with_saved(app: &App, caller: &Caller, options: ReadOptions) -> Result<ReadOptions, Problem> {
    let mut c = app.engine_pool.acquire().await?;
    Ok(ReadOptions { saved: import_mappings::get(&mut c, caller.tenant).await?, ..options })
}

/// Why a stored file was not counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// The file is not a usable CSV.
    #[error(transparent)]
    File(#[from] UploadError),
    #[error(transparent)]
    Store(#[from] StorageError),
}

impl From<CountError> for Problem {
    fn from(error: CountError) -> Self {
        match error {
            CountError::File(error) => Self::from(&error),
            CountError::Store(error) => error.into(),
        }
    }
}

/// Counts a stored file: the bytes that were verified, and no others.
pub async fn count(app: &App, file: &Arc<VerifiedObject>, options: ReadOptions) -> Result<Counted, CountError> {
    count_rows(app.storage.read_verified(file, 0), limits(app), options).await
}
