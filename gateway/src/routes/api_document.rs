//! GET /api/openapi.json: `openapi.yaml`, which is written by hand and held equal to the routes by tests.

use std::sync::{Arc, LazyLock};

use http::{HeaderValue, header};
use warp::reply::Response;

use super::Answer;
use crate::{App, ask::Ask, problem::Problem};

const YAML: &str = include_str!("../../openapi.yaml");

/// The same document as JSON; `None` would be a document that is no YAML, which the tests exclude.
static JSON: LazyLock<Option<String>> = LazyLock::new(|| {
    let document: serde_json::Value = serde_norway::from_str(YAML).ok()?;
    serde_json::to_string(&document).ok()
});

pub async fn get(_app: Arc<App>, _ask: Ask) -> Answer {
    let json = JSON.as_deref().ok_or_else(|| Problem::internal(&"openapi.yaml cannot be read"))?;
    let mut response = Response::new(json.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::routes::ROUTES;

    fn document() -> serde_json::Value {
        serde_norway::from_str(YAML).unwrap()
    }

    #[test]
    fn every_route_is_in_the_document_and_back() {
        let document = document();
        let mut written = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}: no operationId"));
                written.insert((method.to_uppercase(), path.clone(), id.to_owned()));
            }
        }
        let routed: BTreeSet<_> = ROUTES
            .iter()
            .map(|r| (r.method.to_string(), r.template.replace("*}", "}"), r.operation.to_owned()))
            .collect();
        assert_eq!(written, routed);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            match value {
                serde_json::Value::Object(fields) => {
                    if let Some(serde_json::Value::String(reference)) = fields.get("$ref") {
                        let pointer = reference.trim_start_matches('#');
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    open.extend(fields.values());
                }
                serde_json::Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
    }
}
