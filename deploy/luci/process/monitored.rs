//! What watches a process: its metrics, and the socket for probes and Prometheus.

use std::{io, net::TcpListener, time::Duration};

use luci_gateway::monitor::{self, Monitor};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Serves `/healthz`, `/readyz` and `/metrics` until `stop`.
pub(super) fn serve(listener: &TcpListener, monitor: Monitor, stop: CancellationToken) -> io::Result<()> {
    let listener = listener.try_clone()?;
    listener.set_nonblocking(true)?;
    tokio::spawn(monitor::serve(monitor, tokio::net::TcpListener::from_std(listener)?, stop));
    Ok(())
}

/// Drops old samples: the exporter does so by itself only with an HTTP listener of its own.
pub(super) fn metrics_upkeep(metrics: PrometheusHandle, stop: CancellationToken) {
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            metrics.run_upkeep();
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(METRICS_UPKEEP) => {}
            }
        }
    });
}
