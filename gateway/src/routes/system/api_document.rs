//! `GET /api/openapi.json`: `openapi.yaml`, which is written by hand and compared with the routes by tests.

use std::sync::{Arc, LazyLock};

use http::{HeaderValue, header};
use warp::reply::Response;

use crate::{App, problem::Problem, request::Request, routes::HandlerResult};

const YAML: &str = include_str!("../../../openapi.yaml");

/// The document as JSON. `None` if it is not valid YAML, which the tests exclude.
static JSON: LazyLock<Option<String>> = LazyLock::new(|| {
    let document: serde_json::Value = serde_norway::from_str(YAML).ok()?;
    serde_json::to_string(&document).ok()
});

pub async fn handle(_app: Arc<App>, _request: Request) -> HandlerResult {
    let json = JSON.as_deref().ok_or_else(|| Problem::internal(&"openapi.yaml is not valid YAML"))?;
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
    use crate::routes::{Handler, ROUTES};

    fn document() -> serde_json::Value {
        serde_norway::from_str(YAML).unwrap()
    }

    #[test]
    fn the_document_and_the_routes_have_the_same_operations() {
        let document = document();
        let mut documented = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}: no operationId"));
                documented.insert((method.to_uppercase(), path.clone(), id.to_owned()));
            }
        }
        let routed: BTreeSet<_> = ROUTES
            .iter()
            .map(|r| (r.method.to_string(), r.template.replace("*}", "}"), r.operation.to_owned()))
            .collect();
        assert_eq!(documented, routed);
    }

    /// What the dispatcher and the readers of bodies answer, whatever the handler does.
    #[test]
    fn every_operation_lists_what_its_kind_can_answer() {
        const STATIC: [&str; 8] = [
            "getHealth",
            "getReadiness",
            "getMetrics",
            "getApiDocument",
            "getRoot",
            "getAsset",
            "getPage",
            "closeSession",
        ];
        let document = document();
        let mut missing = Vec::new();
        for route in ROUTES {
            let path = route.template.replace("*}", "}");
            let operation = &document["paths"][&path][route.method.as_str().to_lowercase()];
            // A NUL in the query is refused for every route.
            let mut expected = vec!["422"];
            if !STATIC.contains(&route.operation) {
                expected.extend(["500", "503"]);
            }
            if matches!(route.handler, Handler::Authenticated(..)) {
                expected.extend(["401", "403"]);
                if route.template.contains("Id}") || route.template.contains("{provider}") {
                    expected.push("404");
                }
            }
            if operation.get("requestBody").is_some() {
                expected.extend(["408", "413"]);
            }
            // Webhooks and presigned uploads are read as they are.
            let is_json = operation["requestBody"]["content"].get("application/json").is_some();
            if is_json && !route.template.starts_with("/api/webhooks/") {
                expected.extend(["400", "415"]);
            }
            let lacks = expected.into_iter().filter(|status| operation["responses"].get(*status).is_none());
            missing.extend(lacks.map(|status| format!("{}: {status}", route.operation)));
        }
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn every_reference_has_a_target() {
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
