//! Responses with a JSON body.

use http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

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
