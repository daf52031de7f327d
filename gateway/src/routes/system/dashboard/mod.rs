//! The dashboard, built into the binary: no folder has to be deployed with it.

pub mod asset;
pub mod index;
mod policy;
pub mod root;

use std::borrow::Cow;

use http::{HeaderValue, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};
use warp::reply::Response;

use crate::{App, request::Request};

/// What `npm run build` writes; empty when cargo was run without it. A debug build reads the folder at each request.
#[derive(RustEmbed)]
#[folder = "dashboard/dist/app"]
#[allow_missing = true]
struct Files;

/// The page must be asked for again each time; the name of any other file changes with its content.
const REVALIDATE: &str = "no-cache";
const FOREVER: &str = "public, max-age=31536000, immutable";

/// A file of the build, compressed with brotli if the browser accepts that; `None` if there is no such file.
fn built(app: &App, request: &Request, name: &str, cache: &'static str) -> Option<Response> {
    let plain = Files::get(name)?;
    let kind = content_type(name);
    let tag = plain.metadata.sha256_hash();
    let brotli = request.header("accept-encoding").is_some_and(|accepted| accepted.contains("br"));
    match brotli.then(|| Files::get(&format!("{name}.br"))).flatten() {
        Some(EmbeddedFile { data, .. }) => Some(respond(app, request, data, &tag, (kind, cache, true))),
        None => Some(respond(app, request, plain.data, &tag, (kind, cache, false))),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "woff2" => "font/woff2",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// A file of this content type and `Cache-Control`, compressed with brotli or not.
fn respond(
    app: &App,
    request: &Request,
    body: Cow<'static, [u8]>,
    hash: &[u8; 32],
    (kind, cache, brotli): (&'static str, &'static str, bool),
) -> Response {
    let tag = format!("\"{}\"", hex::encode(&hash[..12]));
    let same = request.header("if-none-match").is_some_and(|tags| tags.split(',').any(|other| other.trim() == tag));
    let mut response = if same { Response::default() } else { Response::new(body.into_owned().into()) };
    if same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if brotli && !same {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(policy) = HeaderValue::from_str(&policy::policy(app, request)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
