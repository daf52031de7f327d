//! The page at /admin/pipelines, and its files. Built in: no folder has to be deployed beside the binary.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use warp::reply::Response;

use super::Answer;
use crate::{App, ask::Ask, problem::Problem};

const INDEX: &str = include_str!("../../dashboard/index.html");
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page's files: name, text, type.
const FILES: &[(&str, &str, &str)] = &[
    ("page.css", include_str!("../../dashboard/page.css"), STYLE),
    ("page.js", include_str!("../../dashboard/page.js"), SCRIPT),
    ("api.js", include_str!("../../dashboard/api.js"), SCRIPT),
    ("fold.js", include_str!("../../dashboard/fold.js"), SCRIPT),
    ("live.js", include_str!("../../dashboard/live.js"), SCRIPT),
    ("proof.js", include_str!("../../dashboard/proof.js"), SCRIPT),
    ("view.js", include_str!("../../dashboard/view.js"), SCRIPT),
];

/// Our own files and our own socket, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self' ws: wss:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub async fn index(_app: Arc<App>, ask: Ask) -> Answer {
    Ok(file(&ask, INDEX, "text/html; charset=utf-8"))
}

pub async fn asset(_app: Arc<App>, ask: Ask) -> Answer {
    let name = ask.params.first().map(String::as_str).unwrap_or_default();
    let (_, text, kind) = FILES.iter().find(|(file, ..)| *file == name).ok_or_else(Problem::no_route)?;
    Ok(file(&ask, text, kind))
}

pub async fn root(_app: Arc<App>, _ask: Ask) -> Answer {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/admin/pipelines"));
    Ok(response)
}

fn file(ask: &Ask, text: &'static str, kind: &'static str) -> Response {
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(text)[..12]));
    let same = ask.header("if-none-match").is_some_and(|tags| tags.split(',').any(|other| other.trim() == tag));
    let mut response = if same { Response::default() } else { Response::new(text.into()) };
    if same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
