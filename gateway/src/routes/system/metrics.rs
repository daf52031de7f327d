//! `GET /metrics`: the metrics of every role in this process, in the text format of Prometheus.

use std::sync::Arc;

use crate::{App, monitor, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, _request: Request) -> HandlerResult {
    metrics::gauge!("luci_log_head").set(app.log.head().0 as f64);
    metrics::gauge!("luci_stream_position").set(app.hub.last().0 as f64);
    metrics::gauge!("luci_stream_lag_seconds").set(app.hub.lag_ms() as f64 / 1_000.0);
    Ok(monitor::rendered(&app.metrics))
}
