//! GET /metrics: every role's metrics of this process, in Prometheus' text form.

use std::sync::Arc;

use http::{HeaderValue, header};
use warp::reply::Response;

use super::Answer;
use crate::{App, ask::Ask};

pub async fn get(app: Arc<App>, _ask: Ask) -> Answer {
    metrics::gauge!("luci_log_head").set(app.log.head().0 as f64);
    metrics::gauge!("luci_stream_position").set(app.hub.last().0 as f64);
    metrics::gauge!("luci_stream_lag_ms").set(app.hub.lag_ms() as f64);
    let mut response = Response::new(app.metrics.render().into());
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    Ok(response)
}
