//! The dashboard, built into the binary: no folder has to be deployed with it.

pub mod asset;
pub mod index;
pub mod root;

use std::borrow::Cow;

use http::{HeaderValue, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};
use warp::reply::Response;

use crate::request::Request;

/// What `npm run build` writes; empty when cargo was run without it. A debug build reads the folder at each request.
#[derive(RustEmbed)]
#[folder = "dashboard/dist/app"]
#[allow_missing = true]
struct Files;

/// Allows our own files and our own WebSocket only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self' ws: wss:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The page must be asked for again each time; the name of any other file changes with its content.
const REVALIDATE: &str = "no-cache";
const FOREVER: &str = "public, max-age=31536000, immutable";

/// A file of the build, compressed with brotli if the browser accepts that; `None` if there is no such file.
fn built(request: &Request, name: &str, cache: &'static str) -> Option<Response> {
    let plain = Files::get(name)?;
    let kind = content_type(name);
    let tag = plain.metadata.sha256_hash();
    let brotli = request.header("accept-encoding").is_some_and(|accepted| accepted.contains("br"));
    match brotli.then(|| Files::get(&format!("{name}.br"))).flatten() {
        Some(EmbeddedFile { data, .. }) => Some(respond(request, data, &tag, kind, cache, true)),
        None => Some(respond(request, plain.data, &tag, kind, cache, false)),
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

fn respond(
    request: &Request,
    body: Cow<'static, [u8]>,
    hash: &[u8; 32],
    kind: &'static str,
    cache: &'static str,
    brotli: bool,
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
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
