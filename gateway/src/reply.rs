//! Responses: a JSON body, and files that are streamed.

use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, StatusCode, header};
use warp::{Reply, reply::Response};

/// A JSON response with `Cache-Control: no-store`.
pub fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = Response::new(bytes.into());
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => crate::problem::Problem::internal(&error).into_response(""),
    }
}

/// A file to be saved under this name, which has only characters that a header takes. An error of the stream aborts the response:
/// once it has started, there is no other way to report one.
pub fn file<B, E>(
    body: impl Stream<Item = Result<B, E>> + Send + Sync + 'static,
    media_type: &'static str,
    name: &str,
) -> Response
where
    B: Into<Bytes> + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
{
    let mut response: Response = warp::reply::stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}
