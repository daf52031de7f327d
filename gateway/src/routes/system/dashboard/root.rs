//! `GET /`: a redirect to the dashboard.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use crate::{App, request::Request, routes::HandlerResult};

pub async fn handle(_app: Arc<App>, _request: Request) -> HandlerResult {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/admin/pipelines"));
    Ok(response)
}
