//! `GET /metrics`: the metrics of every role in this process, in the text format of Prometheus.

use std::sync::Arc;

use http::{HeaderValue, header};
use warp::reply::Response;

use crate::{App, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, _request: Request) -> HandlerResult {
    metrics::gauge!("luci_log_head").set(app.log.head().0 as f64);
    metrics::gauge!("luci_stream_position").set(app.hub.last().0 as f64);
    metrics::gauge!("luci_stream_lag_seconds").set(app.hub.lag_ms() as f64 / 1_000.0);
    let mut response = Response::new(app.metrics.render().into());
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    Ok(response)
}
