//! The API document as a contract: every answer that a test gets through `Api` has a status that the document gives for its
//! operation.

use std::sync::LazyLock;

use reqwest::{Method, StatusCode};
use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_norway::from_str(include_str!("../../gateway/openapi.yaml")).expect("the API document is valid YAML")
});

/// Panics when the operation is documented and the status is not. Requests without an operation (404, 405) are not looked at.
pub fn check_status(method: &Method, path: &str, status: StatusCode) {
    let path = path.split('?').next().unwrap_or_default();
    let Some(item) = template(path) else { return };
    let Some(operation) = item.get(method.as_str().to_lowercase()) else { return };
    let documented = operation["responses"].get(status.as_str()).is_some();
    assert!(
        documented,
        "openapi.yaml: {method} {path} answers {status}, which {} does not list",
        operation["operationId"]
    );
}

/// The entry of a path: one without parameters before one with.
fn template(path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths.get(path).or_else(|| paths.iter().find(|(template, _)| matches(template, path)).map(|(_, item)| item))
}

fn matches(template: &str, path: &str) -> bool {
    let (mut parts, mut segments) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), segments.next()) {
            (None, None) => return true,
            // The rest of the path: an object's key, a file.
            (Some("{key}" | "{file}" | "{page}"), Some(_)) => return true,
            (Some(part), Some(segment)) if part.starts_with('{') || part == segment => {}
            _ => return false,
        }
    }
}
