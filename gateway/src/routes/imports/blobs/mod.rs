//! Objects of the local store at presigned URLs. The signature is the credential; no key is needed.

mod conditions;
pub mod get;
pub mod put;

use luci_storage::BlobAccess;

use crate::{App, problem::Problem, request::Request};

/// Checks the signature of the URL.
fn access(app: &App, request: &Request) -> Result<BlobAccess, Problem> {
    let object_path = request.params.first().map(String::as_str).unwrap_or_default();
    app.storage.blob_access(request.method.as_str(), object_path, &request.query).map_err(Problem::from)
}
