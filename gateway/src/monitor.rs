//! `/healthz`, `/readyz` and `/metrics` on an address of their own, for probes and Prometheus: a process needs no role `gateway`
//! for them. Without TLS and credentials, as on the gateway.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderValue, Method, StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::{Filter, path::FullPath, reply::Response};

use crate::{problem::Problem, readiness::Readiness, reply};

/// What the answers are made of.
pub struct Monitor {
    pub readiness: Readiness,
    pub metrics: PrometheusHandle,
}

/// Serves `listener` until `stop`.
pub async fn serve(monitor: Monitor, listener: TcpListener, stop: CancellationToken) {
    let monitor = Arc::new(monitor);
    let answered = warp::method().and(warp::path::full()).and_then(move |method, path: FullPath| {
        let monitor = Arc::clone(&monitor);
        async move { Ok::<_, Infallible>(answer(&monitor, &method, path.as_str()).await) }
    });
    // A graceful end would wait for idle connections.
    tokio::select! {
        () = warp::serve(answered).incoming(listener).run() => {}
        () = stop.cancelled() => {}
    }
}

async fn answer(monitor: &Monitor, method: &Method, path: &str) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return Problem::method_not_allowed("GET, HEAD").into_response("");
    }
    match path {
        "/healthz" => reply::json(StatusCode::OK, &json!({"status": "ok"})),
        "/readyz" => {
            let (status, body) = monitor.readiness.check().await;
            reply::json(status, &body)
        }
        "/metrics" => metrics(monitor),
        _ => Problem::no_route().into_response(""),
    }
}

fn metrics(monitor: &Monitor) -> Response {
    metrics::gauge!("luci_log_head").set(monitor.readiness.log.head().0 as f64);
    rendered(&monitor.metrics)
}

/// The metrics of every role in this process, in the text format of Prometheus.
pub fn rendered(metrics: &PrometheusHandle) -> Response {
    let mut response = Response::new(metrics.render().into());
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}
