//! The page at /admin/pipelines, and its two files. Built in: no folder has to be deployed beside the binary.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use warp::reply::Response;

use super::Answer;
use crate::{App, ask::Ask, problem::Problem};

const INDEX: &str = include_str!("../../dashboard/index.html");
const STYLE: &str = include_str!("../../dashboard/page.css");
const SCRIPT: &str = include_str!("../../dashboard/page.js");

/// Our own files and our own socket, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self' ws: wss:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub async fn index(_app: Arc<App>, ask: Ask) -> Answer {
    Ok(file(&ask, INDEX, "text/html; charset=utf-8"))
}

pub async fn asset(_app: Arc<App>, ask: Ask) -> Answer {
    match ask.params.first().map(String::as_str) {
        Some("page.css") => Ok(file(&ask, STYLE, "text/css; charset=utf-8")),
        Some("page.js") => Ok(file(&ask, SCRIPT, "text/javascript; charset=utf-8")),
        _ => Err(Problem::no_route()),
    }
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
